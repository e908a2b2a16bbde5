#pragma once
// Logging in on a connection whose host key was checked. Runs on the connecting thread: files, agents and
// people may block it. Internal to this room.

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/transport/prompter.h"
#include "core/transport/ssh_link.h"

namespace porter::transport {

struct Login {
  std::vector<std::filesystem::path> identities;  // named by the user
  std::vector<std::filesystem::path> defaults;    // tried when they exist
  std::string agent_socket;                       // empty: no agent
  std::chrono::milliseconds step_timeout;         // for each answer of the far end
};

// In this order: the named keys that need no passphrase, the agent, the default keys, keys whose passphrase
// has to be asked for (only when the far end would take them), keyboard-interactive, password, no proof at
// all (first, when there is no key that needs no passphrase). Throws Error(authentication) that lists what
// was tried, unreachable, timeout; Interrupted.
void log_in(SshLink& link, const Login& login, Prompter& prompter, base::Deadline deadline,
            const base::CancelToken& cancel);

}  // namespace porter::transport
