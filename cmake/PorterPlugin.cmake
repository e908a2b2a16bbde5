# porter_bundled_plugin(NAME SOURCES … [USES …]): a plugin that ships with porter-admin, as NAME.so in the folder
# that porter-admin searches. What it USES of core is linked in statically and hidden, so that it shares nothing
# with the host program but the SDK's interfaces.
function(porter_bundled_plugin name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES" ${ARGN})
  porter_add_plugin(${name} SOURCES ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_USES})
  target_link_options(${name} PRIVATE -Wl,--exclude-libs,ALL)
  add_dependencies(programs ${name})
  install(TARGETS ${name} LIBRARY DESTINATION lib/porter/plugins COMPONENT runtime)
endfunction()
