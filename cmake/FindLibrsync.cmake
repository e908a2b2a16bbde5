# librsync ships neither a CMake nor a pkg-config file. It calls blake2b alone, which libb2.a keeps apart from its OpenMP
# variants: no libgomp.
include(CLibrary)
find_c_library(Librsync librsync.h rsync NEEDS b2)
