#pragma once
// What a handler must leave as it found it, because the whole process shares it: the working folder, the
// umask and what SIGPIPE, SIGINT, SIGTERM and SIGCHLD do. Captured when the run starts; compared, restored
// and reported after every handler. Thread-safe. When several handlers ran at the same moment, each is named:
// the process cannot tell which one it was.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/bus/owner.h"

namespace porter::bus {

class ProcessGuard {
 public:
  // Takes the state of this moment as the right one. Throws base::Error(io).
  ProcessGuard();
  ~ProcessGuard();
  ProcessGuard(const ProcessGuard&) = delete;
  ProcessGuard& operator=(const ProcessGuard&) = delete;

  // A handler of `owner` starts and ends. leave() restores what changed and says it, one text a change:
  // "plugin acme.x 1.0 changed the working folder to /tmp; it was set back to /srv".
  void enter(const Owner& owner);
  std::vector<std::string> leave(const Owner& owner);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace porter::bus
