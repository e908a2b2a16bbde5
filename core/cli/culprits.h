#pragma once
// Whose code is running in a worker: the handlers of plugins and hooks that have started and not ended. When
// the worker dies they are the ones to name, for it was one of them. Used by the supervisor's one thread.

#include <string>
#include <vector>

#include "core/event/event.h"

namespace porter::cli {

class Culprits {
 public:
  // Looks at SignalStarted and SignalFired.
  void handle(const event::Event& event);
  bool none() const { return running_.empty(); }
  // "plugin acme.audit 1.0 handled SIG_ACTIVATE of web on host1", several with " and " between; "" for none.
  std::string describe() const;

 private:
  std::vector<event::SignalStarted> running_;
};

}  // namespace porter::cli
