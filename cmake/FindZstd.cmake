# zstd 1.5.4 ships no CMake file.
# Zstd::zstd    the shared library
# Zstd::static  libzstd.a, for the static agent; only when it is there
find_path(Zstd_INCLUDE_DIR NAMES zstd.h)
find_library(Zstd_LIBRARY NAMES zstd)
find_library(Zstd_STATIC_LIBRARY NAMES libzstd.a)
mark_as_advanced(Zstd_INCLUDE_DIR Zstd_LIBRARY Zstd_STATIC_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Zstd REQUIRED_VARS Zstd_LIBRARY Zstd_INCLUDE_DIR)

if(Zstd_FOUND AND NOT TARGET Zstd::zstd)
  add_library(Zstd::zstd UNKNOWN IMPORTED)
  set_target_properties(Zstd::zstd PROPERTIES
    IMPORTED_LOCATION "${Zstd_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${Zstd_INCLUDE_DIR}")
endif()
if(Zstd_FOUND AND Zstd_STATIC_LIBRARY AND NOT TARGET Zstd::static)
  add_library(Zstd::static STATIC IMPORTED)
  set_target_properties(Zstd::static PROPERTIES
    IMPORTED_LOCATION "${Zstd_STATIC_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${Zstd_INCLUDE_DIR}")
endif()
