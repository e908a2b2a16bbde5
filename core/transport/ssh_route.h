#pragma once
// Where a connection really goes, after ~/.ssh/config and defaults were asked. A value; internal to this
// room.

#include <filesystem>
#include <string>
#include <vector>

#include "core/transport/ssh_target.h"

namespace porter::transport {

struct SshRoute {
  SshTarget target;                                // address, port and user filled in; jump empty
  std::vector<std::filesystem::path> identities;   // named by target or configuration
  std::vector<std::filesystem::path> defaults;     // ~/.ssh/id_*
  std::vector<std::filesystem::path> known_hosts;  // never empty
  std::vector<std::string> jumps;                  // "[user@]host[:port]", nearest to us first
};

// Throws Error(bad_value) for a name that is not allowed, from wherever it came.
SshRoute find_route(const SshTarget& target, const SshPolicy& policy);

}  // namespace porter::transport
