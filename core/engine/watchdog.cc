#include "core/engine/watchdog.h"

#include <algorithm>
#include <utility>

namespace porter::engine {

Watchdog::Watchdog(Overdue overdue) : overdue_(std::move(overdue)), thread_([this] { watch(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Watchdog::set_limit(std::chrono::milliseconds limit) {
  const std::lock_guard lock(mutex_);
  limit_ = limit;
}

void Watchdog::started(RunningHandler handler) {
  const std::lock_guard lock(mutex_);
  Entry entry{std::move(handler), std::this_thread::get_id(), std::nullopt};
  if (limit_.count() > 0) entry.due = Clock::now() + limit_;
  running_.push_back(std::move(entry));
  if (idle_) changed_.notify_one();
}

void Watchdog::ended() {
  const std::lock_guard lock(mutex_);
  const auto mine = std::find_if(running_.rbegin(), running_.rend(), [](const Entry& entry) {
    return entry.thread == std::this_thread::get_id();
  });
  if (mine != running_.rend()) running_.erase(std::next(mine).base());
}

void Watchdog::watch() {
  std::unique_lock lock(mutex_);
  while (!over_) {
    const auto next =
        std::find_if(running_.begin(), running_.end(), [](const Entry& entry) { return entry.due; });
    idle_ = next == running_.end();
    if (idle_) {
      changed_.wait(lock);
    } else if (const Clock::time_point due = *next->due; Clock::now() < due) {
      changed_.wait_until(lock, due);
    } else {
      tell(*next);
    }
  }
}

void Watchdog::tell(Entry& entry) {
  entry.due.reset();
  const auto inner = std::find_if(running_.rbegin(), running_.rend(),
                                  [&](const Entry& other) { return other.thread == entry.thread; });
  overdue_(entry.handler, inner->handler);
}

}  // namespace porter::engine
