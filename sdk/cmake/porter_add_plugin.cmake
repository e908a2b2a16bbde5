# porter_add_plugin(NAME SOURCES …): the shared object NAME.so of the plugin with the dotted name NAME. Symbols are
# hidden, so that two plugins with classes of one name do not meet; nothing may stay undefined.
function(porter_add_plugin name)
  cmake_parse_arguments(ARG "" "" "SOURCES" ${ARGN})
  add_library(${name} MODULE ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE porter::sdk)
  target_link_options(${name} PRIVATE -Wl,--no-undefined)
  set_target_properties(${name} PROPERTIES PREFIX "" CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
                                           POSITION_INDEPENDENT_CODE ON)
endfunction()
