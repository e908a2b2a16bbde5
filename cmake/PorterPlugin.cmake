# porter_bundled_plugin(NAME SOURCES … [USES …]): a plugin that ships with porter-admin, as NAME.so in the folder
# that porter-admin searches. What it USES of core is linked in statically and hidden, so that it shares nothing
# with the host program but the SDK's interfaces.
function(porter_bundled_plugin name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES" ${ARGN})
  add_library(${name} MODULE ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE porter_options porter::sdk ${ARG_USES})
  target_link_options(${name} PRIVATE -Wl,--exclude-libs,ALL)
  # A sanitizer's own functions stay undefined until the program that loads the plugin brings them.
  if(NOT PORTER_SANITIZE)
    target_link_options(${name} PRIVATE -Wl,--no-undefined)
  endif()
  set_target_properties(${name} PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY "${PORTER_PLUGIN_DIRECTORY}")
endfunction()
