#pragma once
// Values that several threads want and that are dear to make: the first who asks makes one, the others wait
// for it. Used by any number of threads at once.

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "core/base/cancel.h"
#include "core/base/digest.h"

namespace porter::base {

// `Value` is a container of plain values.
template <class Value>
class MadeOnce {
 public:
  using Made = std::shared_ptr<const Value>;

  // What does not fit into so many bytes is given to those who wait for it, and made anew for later ones.
  explicit MadeOnce(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  // `key` says all that the value depends on. What make() throws is for its caller alone: who waited for it
  // calls a make() of his own. Throws Interrupted, too.
  template <class Make>
  Made get(const Digest& key, const CancelToken& cancel, Make make) {
    std::unique_lock lock(mutex_);
    const auto [at, is_first] = slots_.try_emplace(key, nullptr);
    if (is_first) at->second = std::make_shared<Slot>();
    const std::shared_ptr<Slot> slot = at->second;
    while (!is_first && !slot->done) {
      cancel.check();
      changed_.wait_for(lock, kLookUp);
    }
    if (slot->made) return slot->made;
    lock.unlock();
    if (!is_first) return std::make_shared<const Value>(make());
    return publish(key, *slot, make);
  }

 private:
  // How often who waits looks whether it is still wanted; the value wakes it at once.
  static constexpr auto kLookUp = std::chrono::milliseconds(200);

  struct Slot {
    bool done = false;
    Made made;  // null when that failed
  };

  template <class Make>
  Made publish(const Digest& key, Slot& slot, Make& make) {
    Made made;
    try {
      made = std::make_shared<const Value>(make());
    } catch (...) {
      settle(key, slot, nullptr);
      throw;
    }
    settle(key, slot, made);
    return made;
  }

  void settle(const Digest& key, Slot& slot, Made made) {
    const std::lock_guard lock(mutex_);
    const std::size_t bytes = made ? made->size() * sizeof(typename Value::value_type) : 0;
    slot.done = true;
    slot.made = std::move(made);
    if (bytes > most_bytes_ - bytes_)
      slots_.erase(key);
    else
      bytes_ += bytes;
    changed_.notify_all();
  }

  const std::size_t most_bytes_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t bytes_ = 0;
  std::unordered_map<Digest, std::shared_ptr<Slot>, DigestHash> slots_;
};

}  // namespace porter::base
