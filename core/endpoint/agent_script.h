#pragma once
// The two small shell programs that find and install the agent on a target. They are fixed text but for
// candidate folders, digests and sizes, which are quoted by base::quote_shell; single lines without '!',
// since the account's login shell reads them first. What they print behind kAbsent and kInstalled is parsed
// by dial. Pure functions.

#include <cstdint>
#include <string>
#include <string_view>

#include "core/endpoint/agent_bundle.h"

namespace porter::endpoint {

inline constexpr std::string_view kAbsent = "porter-agent-absent ";         // system and machine follow
inline constexpr std::string_view kInstalled = "porter-agent-installed ";   // the folder follows
inline constexpr std::string_view kNotInstalled = "porter-agent-refused ";  // the reason follows

// The agent's file name: machine and digest, so that two versions never meet.
std::string agent_file_name(std::string_view machine, const base::Digest& digest);

// Becomes the first agent it finds, with the script's own arguments, in ONE exec; else says what machine this
// is. `agent_path` may be "", and may begin with "~/".
std::string start_script(const AgentBundle& bundle, const std::string& agent_path);

// Installs what comes on stdin: temporary name, size and SHA-256 checked before anything is executed, one
// rename into place.
std::string install_script(const BundledAgent& agent, std::string_view machine,
                           const std::string& agent_path);

}  // namespace porter::endpoint
