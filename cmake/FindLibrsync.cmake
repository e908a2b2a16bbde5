# librsync ships neither a CMake nor a pkg-config file.
# Librsync::librsync  the shared library
# Librsync::static    librsync.a with what it needs (libb2.a), for the static agent; only when they are there
find_path(Librsync_INCLUDE_DIR NAMES librsync.h)
find_library(Librsync_LIBRARY NAMES rsync)
find_library(Librsync_STATIC_LIBRARY NAMES librsync.a)
find_library(Librsync_B2_STATIC_LIBRARY NAMES libb2.a)
mark_as_advanced(Librsync_INCLUDE_DIR Librsync_LIBRARY Librsync_STATIC_LIBRARY Librsync_B2_STATIC_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Librsync REQUIRED_VARS Librsync_LIBRARY Librsync_INCLUDE_DIR)

if(Librsync_FOUND AND NOT TARGET Librsync::librsync)
  add_library(Librsync::librsync UNKNOWN IMPORTED)
  set_target_properties(Librsync::librsync PROPERTIES
    IMPORTED_LOCATION "${Librsync_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${Librsync_INCLUDE_DIR}")
endif()
if(Librsync_FOUND AND Librsync_STATIC_LIBRARY AND Librsync_B2_STATIC_LIBRARY AND NOT TARGET Librsync::static)
  add_library(Librsync::static STATIC IMPORTED)
  # librsync calls blake2b alone, which libb2.a keeps apart from its OpenMP variants: no libgomp.
  set_target_properties(Librsync::static PROPERTIES
    IMPORTED_LOCATION "${Librsync_STATIC_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${Librsync_INCLUDE_DIR}"
    INTERFACE_LINK_LIBRARIES "${Librsync_B2_STATIC_LIBRARY}")
endif()
