# porter_add_plugin(NAME SOURCES …): the shared object NAME.so of the plugin with the dotted name NAME. Symbols are
# hidden, so that two plugins with classes of one name do not meet; nothing may stay undefined. Under a sanitizer
# its functions do stay undefined until the program gives them.
function(porter_add_plugin name)
  cmake_parse_arguments(ARG "" "" "SOURCES" ${ARGN})
  add_library(${name} MODULE ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE porter::sdk)
  if(NOT PORTER_SANITIZE AND NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize=")
    target_link_options(${name} PRIVATE -Wl,--no-undefined)
  endif()
  set_target_properties(${name} PROPERTIES PREFIX "" CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
                                           POSITION_INDEPENDENT_CODE ON)
  # Inside porter-admin's own tree: its warnings and sanitizers, and the folder that its programs search.
  if(TARGET porter_options)
    target_link_libraries(${name} PRIVATE porter_options)
    set_target_properties(${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${PORTER_PLUGIN_DIRECTORY}")
  endif()
endfunction()
