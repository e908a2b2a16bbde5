#pragma once
// One call into an owner's code, with everything around it that the bus promises: the owner's name and lock,
// the guard of the process's state, the time, and an error that names who failed where. Used by bus.cc.

#include <functional>
#include <string>

#include "core/bus/owner.h"
#include "core/bus/run_registry.h"
#include "core/bus/watcher.h"

namespace porter::bus {

struct CallSite {
  const Owner& owner;
  const std::string& what;  // the signal's name
  const Place& place;
};

// Throws base::Error, base::Errors or base::Interrupted, and nothing else. No exception object of a plugin
// outlives the call: only its text does. Code that ends its thread ends the process.
void guarded_call(const CallSite& site, RunRegistry& registry, Watcher& watcher,
                  const std::function<void()>& code);

}  // namespace porter::bus
