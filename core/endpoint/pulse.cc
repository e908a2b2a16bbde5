#include "core/endpoint/pulse.h"

#include <algorithm>

#include "core/endpoint/wire.h"

namespace porter::endpoint {

using namespace std::chrono_literals;

Pulse& Pulse::shared() {
  static Pulse pulse;
  return pulse;
}

void Pulse::add(Wire& wire, std::chrono::milliseconds every) {
  const std::lock_guard one(lifecycle_);
  {
    const std::lock_guard lock(mutex_);
    every_ = wires_.empty() ? every : std::min(every_, every);
    wires_.insert(&wire);
    stop_ = false;
  }
  changed_.notify_all();
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
}

void Pulse::remove(Wire& wire) {
  const std::lock_guard one(lifecycle_);
  {
    const std::lock_guard lock(mutex_);
    wires_.erase(&wire);
    stop_ = wires_.empty();
  }
  changed_.notify_all();
  if (wires_.empty() && thread_.joinable()) thread_.join();
}

void Pulse::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    changed_.wait_for(lock, every_, [this] { return stop_; });
    for (Wire* wire : wires_)
      wire->beat_if_quiet();
  }
}

}  // namespace porter::endpoint
