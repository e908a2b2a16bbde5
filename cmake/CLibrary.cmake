# For find modules of C libraries that ship no CMake file of their own.
#
# find_c_library(Zstd zstd.h zstd [NEEDS archive…])
#   Zstd::zstd    the shared library
#   Zstd::static  libzstd.a with the archives that it needs, for the static agent; only when all are there
#   Zstd::any     the static one wherever there is one: what the agent links comes in statically then
# A macro, since find_package_handle_standard_args() speaks to the module's own scope.
include(FindPackageHandleStandardArgs)

macro(find_c_library package header library)
  cmake_parse_arguments(_c "" "" NEEDS ${ARGN})
  find_path(${package}_INCLUDE_DIR NAMES ${header})
  find_library(${package}_LIBRARY NAMES ${library})
  set(_c_archives "")
  foreach(_c_name IN ITEMS ${library} ${_c_NEEDS})
    find_library(${package}_${_c_name}_ARCHIVE NAMES lib${_c_name}.a)
    mark_as_advanced(${package}_${_c_name}_ARCHIVE)
    list(APPEND _c_archives "${${package}_${_c_name}_ARCHIVE}")
  endforeach()
  mark_as_advanced(${package}_INCLUDE_DIR ${package}_LIBRARY)
  find_package_handle_standard_args(${package} REQUIRED_VARS ${package}_LIBRARY ${package}_INCLUDE_DIR)

  string(TOLOWER ${package} _c_target)
  if(${package}_FOUND AND NOT TARGET ${package}::${_c_target})
    add_library(${package}::${_c_target} UNKNOWN IMPORTED)
    set_target_properties(${package}::${_c_target} PROPERTIES
      IMPORTED_LOCATION "${${package}_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${${package}_INCLUDE_DIR}")
    add_library(${package}::any INTERFACE IMPORTED)
    if(_c_archives MATCHES "NOTFOUND")
      target_link_libraries(${package}::any INTERFACE ${package}::${_c_target})
    else()
      list(POP_FRONT _c_archives _c_archive)
      add_library(${package}::static STATIC IMPORTED)
      set_target_properties(${package}::static PROPERTIES
        IMPORTED_LOCATION "${_c_archive}" INTERFACE_INCLUDE_DIRECTORIES "${${package}_INCLUDE_DIR}"
        INTERFACE_LINK_LIBRARIES "${_c_archives}")
      target_link_libraries(${package}::any INTERFACE ${package}::static)
    endif()
  endif()
endmacro()
