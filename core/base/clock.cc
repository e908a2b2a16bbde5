#include "core/base/clock.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <ctime>
#include <limits>

namespace porter::base {
namespace {

std::int64_t microseconds_of(WallTime time) {
  const auto since = std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
  return ((since % 1000000) + 1000000) % 1000000;
}

std::time_t seconds_of(WallTime time) {
  return std::chrono::system_clock::to_time_t(time - std::chrono::microseconds(microseconds_of(time)));
}

}  // namespace

int Deadline::poll_timeout() const {
  if (is_never()) return -1;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(moment_ - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, INT_MAX));
}

std::int64_t nanoseconds(const std::timespec& time) {
  constexpr std::int64_t kBillion = 1'000'000'000;
  std::int64_t whole = 0;
  std::int64_t sum = 0;
  const bool fits = !__builtin_mul_overflow(std::int64_t{time.tv_sec}, kBillion, &whole) &&
                    !__builtin_add_overflow(whole, std::int64_t{time.tv_nsec}, &sum);
  if (fits) return sum;
  return time.tv_sec < 0 ? std::numeric_limits<std::int64_t>::min()
                         : std::numeric_limits<std::int64_t>::max();
}

std::string format_iso(WallTime time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(seconds_of(time)), microseconds_of(time));
}

std::string format_compact(WallTime time) {
  return fmt::format("{:%Y%m%dT%H%M%SZ}", fmt::gmtime(seconds_of(time)));
}

std::string format_local(WallTime time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}", fmt::localtime(seconds_of(time)), microseconds_of(time));
}

}  // namespace porter::base
