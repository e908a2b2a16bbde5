#pragma once
// From a host of the project to an agent that answers. Blocks; any number of threads at once.

#include "core/engine/deployment.h"
#include "core/engine/run.h"
#include "core/transport/prompter.h"

namespace porter::engine {

// Fills in transport and endpoint by the run's connector, or failure. Never throws.
void connect(Run& run, HostRun& host);
// Locks a site that a connection of this very run has held: it keeps the lock until its agent has noticed
// that it ended, so a locked site is tried again for a while. Throws what Endpoint::lock does, and
// Interrupted.
void lock_again(Run& run, HostRun& host, const protocol::LockRequest& request);
// The real connector: over SSH, or a child process for local:.
void dial_host(Run& run, HostRun& host);

// The SSH side of a host of the project, for connect() and `hosts trust`.
transport::SshTarget ssh_target(const settings::Host& host);
transport::SshPolicy ssh_policy(const base::World& world, const std::string& known_hosts);

// Login questions, passed on to whoever answers the run's.
class AskingPrompter : public transport::Prompter {
 public:
  explicit AskingPrompter(event::Asker& asker) : asker_(asker) {}
  std::optional<base::Secret> ask(transport::Question kind, const std::string& text) override;

 private:
  event::Asker& asker_;
};

}  // namespace porter::engine
