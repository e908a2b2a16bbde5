# Debian's xxhash 0.8.1 ships no CMake file.
include(CLibrary)
find_c_library(Xxhash xxhash.h xxhash)
