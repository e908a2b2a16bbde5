# Debian's xxhash 0.8.1 ships no CMake file.
# Xxhash::xxhash  the shared library
# Xxhash::static  libxxhash.a, for the static agent; only when it is there
find_path(Xxhash_INCLUDE_DIR NAMES xxhash.h)
find_library(Xxhash_LIBRARY NAMES xxhash)
find_library(Xxhash_STATIC_LIBRARY NAMES libxxhash.a)
mark_as_advanced(Xxhash_INCLUDE_DIR Xxhash_LIBRARY Xxhash_STATIC_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Xxhash REQUIRED_VARS Xxhash_LIBRARY Xxhash_INCLUDE_DIR)

if(Xxhash_FOUND AND NOT TARGET Xxhash::xxhash)
  add_library(Xxhash::xxhash UNKNOWN IMPORTED)
  set_target_properties(Xxhash::xxhash PROPERTIES
    IMPORTED_LOCATION "${Xxhash_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${Xxhash_INCLUDE_DIR}")
endif()
if(Xxhash_FOUND AND Xxhash_STATIC_LIBRARY AND NOT TARGET Xxhash::static)
  add_library(Xxhash::static STATIC IMPORTED)
  set_target_properties(Xxhash::static PROPERTIES
    IMPORTED_LOCATION "${Xxhash_STATIC_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${Xxhash_INCLUDE_DIR}")
endif()
