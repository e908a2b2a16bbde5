#pragma once
// What all buses of one run share: the lock of each plugin, which Repeat::once handlers have run, and the
// guard of the process's state. The engine makes one per run and gives it to every Bus. Thread-safe.

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "core/bus/owner.h"
#include "core/bus/process_guard.h"

namespace porter::bus {

class RunRegistry {
 public:
  RunRegistry();
  ~RunRegistry();
  RunRegistry(const RunRegistry&) = delete;
  RunRegistry& operator=(const RunRegistry&) = delete;

  // The mutex that every handler of this owner runs under; null for porter-admin's own. Lives as long as the
  // registry.
  std::mutex* lock_of(const Owner& owner);

  // Runs work() the first time a key comes, and never again. A second caller waits (without any plugin's
  // lock) until the first has finished, so that what follows finds the work done; when the first failed, it
  // gets base::Error(plugin_failed) about `subject`. The same thread coming back from inside work() goes on
  // at once.
  void once(const std::string& key, const std::string& subject, const std::function<void()>& work);

  ProcessGuard& process() { return process_; }

 private:
  struct State;
  std::unique_ptr<State> state_;
  ProcessGuard process_;
};

}  // namespace porter::bus
