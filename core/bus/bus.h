#pragma once
// The signal bus of one module on one host: who handles which signal, in which order, and what happens when a
// handler fails. The engine makes one per porter::Module and forwards that interface's signal calls to it.
// Boost.Signals2 does the calling; it is seen by bus.cc alone. Thread-safe; emit() runs the handlers on the
// calling thread.
//
// Order: by priority, lowest first; among equals in push order, which is porter-admin's defaults, then
// deployment.so, then plugins as the ini lists them (the engine registers them so).
// Failure: an exception ends the signal at once. It leaves emit() as base::Error(plugin_failed) that names
// owner, signal, module and host; a base::Error that came from a service inside keeps its code, place and
// hint and gets a trail line; Interrupted passes. Failures of observers go to the watcher and the signal goes
// on. Changes made by a handler (push, pop, replace) count from the next emission on, nested ones included.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <porter/module.h>

#include "core/bus/owner.h"
#include "core/bus/run_registry.h"
#include "core/bus/watcher.h"

namespace porter::bus {

// Signals may be emitted from handlers, this deep on one thread.
inline constexpr int kDeepest = 16;

struct HandlerInfo {
  Owner owner;
  HandlerOptions options;
};

class Bus {
 public:
  // `watcher` must outlive the bus.
  Bus(Place place, std::shared_ptr<RunRegistry> registry, Watcher& watcher);
  ~Bus();
  Bus(const Bus&) = delete;
  Bus& operator=(const Bus&) = delete;

  // In the name of current_owner().
  void push(const Signal& signal, Handler handler, const HandlerOptions& options = {});
  // Removes the handler pushed last; false when there was none.
  bool pop(const Signal& signal);
  // pop, then push; with no handler there, push.
  void replace(const Signal& signal, Handler handler, const HandlerOptions& options = {});

  void emit(const Signal& signal, Module& module, const Payload& payload = {});

  // Runs other code of an owner (a plugin's register_signal_handlers) as a handler is run: in its name, under
  // its lock and guard, with the same errors. `what` stands where the signal's name does.
  void call(const Owner& owner, const std::string& what, const std::function<void()>& code);

  // In the order they run; for `plan` and for telling whether a default was replaced.
  std::vector<HandlerInfo> handlers(const Signal& signal) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace porter::bus
