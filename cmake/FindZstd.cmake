# zstd 1.5.4 ships no CMake file.
include(CLibrary)
find_c_library(Zstd zstd.h zstd)
