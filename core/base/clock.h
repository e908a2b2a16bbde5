#pragma once
// Time: wall-clock stamps for people and files, deadlines for waits. Thread-safe.

#include <chrono>
#include <cstdint>
#include <ctime>
#include <string>

namespace porter::base {

// A moment on the monotonic clock after which a wait gives up; Deadline::never() waits for ever.
class Deadline {
 public:
  static Deadline never() { return Deadline(std::chrono::steady_clock::time_point::max()); }
  static Deadline in(std::chrono::milliseconds wait) {
    return Deadline(std::chrono::steady_clock::now() + wait);
  }

  bool passed() const { return std::chrono::steady_clock::now() >= moment_; }
  bool is_never() const { return moment_ == std::chrono::steady_clock::time_point::max(); }
  // Milliseconds for poll(2): -1 for never, 0 when passed, rounded up otherwise.
  int poll_timeout() const;
  std::chrono::steady_clock::time_point moment() const { return moment_; }

 private:
  explicit Deadline(std::chrono::steady_clock::time_point moment) : moment_(moment) {}
  std::chrono::steady_clock::time_point moment_;
};

// Nanoseconds since the epoch. A file system may keep times that 64 bits cannot hold, before 1677 and after
// 2262: those are the nearest that they can.
std::int64_t nanoseconds(const std::timespec& time);

using WallTime = std::chrono::system_clock::time_point;

// UTC: "2026-11-21T07:05:09.123456Z", and the compact "20261121T070509Z" of release ids.
std::string format_iso(WallTime time);
std::string format_compact(WallTime time);
// Local time without zone and with microseconds, as the picked-version payload has it:
// "2026-11-21T08:05:09.123456".
std::string format_local(WallTime time);

}  // namespace porter::base
