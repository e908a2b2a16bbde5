# porter-agent: one static program that runs on any Linux of its architecture. Beside the agent's own rooms it
# holds SHA-256 out of libcrypto.a, librsync, libb2, xxhash and zstd; no name service, no locale data, nothing to install.
set(PORTER_AGENT_FOLDER "${CMAKE_BINARY_DIR}/lib/porter/agents")
set(PORTER_AGENT_FILE "${PORTER_AGENT_FOLDER}/porter-agent-${CMAKE_SYSTEM_PROCESSOR}")

add_executable(porter-agent porter_agent.cc)
set_target_properties(porter-agent PROPERTIES
  RUNTIME_OUTPUT_DIRECTORY "${PORTER_AGENT_FOLDER}"
  OUTPUT_NAME "porter-agent-${CMAKE_SYSTEM_PROCESSOR}")
target_link_libraries(porter-agent PRIVATE porter_options)

if(PORTER_SANITIZE)
  # Sanitizers need the shared C library.
  target_link_libraries(porter-agent PRIVATE porter_agent_server)
else()
  find_package(Librsync REQUIRED)
  find_package(Xxhash REQUIRED)
  find_package(Zstd REQUIRED)
  find_library(PORTER_CRYPTO_ARCHIVE NAMES libcrypto.a REQUIRED)
  target_sources(porter-agent PRIVATE static_fmt.cc)
  # The archives alone: what they name for shared linking must not come along.
  add_dependencies(porter-agent porter_agent_server)
  target_link_libraries(porter-agent PRIVATE
    $<TARGET_FILE:porter_agent_server> $<TARGET_FILE:porter_agent> $<TARGET_FILE:porter_sync>
    $<TARGET_FILE:porter_protocol> $<TARGET_FILE:porter_base>
    Librsync::static Xxhash::static Zstd::static "${PORTER_CRYPTO_ARCHIVE}" Threads::Threads)
  target_link_options(porter-agent PRIVATE -static -s -Wl,--gc-sections)
endif()
