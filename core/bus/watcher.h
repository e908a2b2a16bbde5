#pragma once
// Who is told what happens on a bus. The engine turns these into events. Called on the handler's thread,
// from several threads at once; must not throw. Handlers nest: on one thread, what started last ends first.

#include <string>

#include "core/base/error.h"
#include "core/bus/owner.h"

namespace porter::bus {

// Which module on which host. host is "" for module-scope signals.
struct Place {
  std::string module;
  std::string host;
  // "module root, host testing"
  std::string describe() const;
};

enum class Outcome { returned, failed };

struct HandlerRun {
  Owner owner;
  std::string signal;
  Place place;
  double seconds = 0;  // inside the handler; waiting for its plugin's lock is not counted
  Outcome outcome = Outcome::returned;
};

class Watcher {
 public:
  virtual ~Watcher() = default;
  // Code of a plugin or hook is about to run, its lock held. handler_ran() follows, however the code ends,
  // unless the process ends in it.
  virtual void handler_started(const Owner&, const std::string& /*signal*/, const Place&) {}
  virtual void handler_ran(const HandlerRun&) {}
  // A handler declared `observer` threw; the signal went on.
  virtual void observer_failed(const base::Error&) {}
  // A handler left the process changed; it was restored.
  virtual void warning(const Owner&, const Place&, const std::string&) {}
};

}  // namespace porter::bus
