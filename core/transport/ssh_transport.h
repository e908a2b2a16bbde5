#pragma once
// Processes on a host over SSH (libssh 0.10). Each connection is pinned to one of a few I/O loops, which
// carries its key exchange, frames, keepalive and deadlines. What blocks (names, files, agents, people)
// happens on the thread that calls connect_ssh().

#include <functional>
#include <memory>
#include <vector>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/transport/host_key.h"
#include "core/transport/prompter.h"
#include "core/transport/ssh_target.h"
#include "core/transport/transport.h"

namespace porter::transport {

class IoLoop;

// The I/O loops of a program. Outlives every transport made with it. Thread-safe.
class SshLoops {
 public:
  explicit SshLoops(unsigned count = 2);
  ~SshLoops();
  SshLoops(const SshLoops&) = delete;
  SshLoops& operator=(const SshLoops&) = delete;

  // The loop with the fewest connections.
  std::shared_ptr<IoLoop> pick();

 private:
  std::vector<std::shared_ptr<IoLoop>> loops_;
};

// Connects, checks the host key, logs in. Blocks the calling thread; any number of threads may connect at
// once. Errors name the host: unreachable, host_key (unknown: with fingerprint and what to type; changed or
// revoked: with what was expected), authentication (with all that was tried), timeout, bad_value (a refused
// name). Throws Interrupted on cancel.
std::unique_ptr<Transport> connect_ssh(SshLoops& loops, const SshTarget& target, const SshPolicy& policy,
                                       Prompter& prompter, base::Deadline deadline,
                                       const base::CancelToken& cancel);

// `hosts trust NAME`: fetches the key and, when `confirm` says yes, appends it to the first known_hosts file
// (0600). Answers the key; a key that is known already is not asked about. A changed or revoked key is
// refused. Jump hosts on the way must be trusted already, and are logged in to.
HostKey trust_host(SshLoops& loops, const SshTarget& target, const SshPolicy& policy, Prompter& prompter,
                   const std::function<bool(const HostKey&)>& confirm, base::Deadline deadline,
                   const base::CancelToken& cancel);

}  // namespace porter::transport
