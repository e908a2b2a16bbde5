#pragma once
// One plugin's handlers run one at a time, whatever the number of hosts. A thread holds the lock of at most
// one plugin, and waits for a lock only while it holds none: locks can therefore never wait for each other in
// a circle. Entering another owner's handler (a nested signal) gives the outer plugin's lock back until that
// handler returns.

#include <mutex>

namespace porter::bus {

class PluginLock {
 public:
  // Holds `mutex` on this thread until the end of the scope, and what was held before after that. Null:
  // nothing is held inside.
  explicit PluginLock(std::mutex* mutex);
  ~PluginLock();
  PluginLock(const PluginLock&) = delete;
  PluginLock& operator=(const PluginLock&) = delete;

  // For the services that plugins call: give the lock back while the call waits for the target or a person,
  // so that the plugin's handlers for other hosts go on. Harmless outside of a handler.
  class Unlocked;

 private:
  std::mutex* outer_;
};

class PluginLock::Unlocked {
 public:
  Unlocked() : nothing_(nullptr) {}

 private:
  PluginLock nothing_;
};

}  // namespace porter::bus
