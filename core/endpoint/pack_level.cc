#include "core/endpoint/pack_level.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>

namespace porter::endpoint {
namespace {

using namespace std::chrono_literals;

// Each costs about twice as much time as the one before it and saves some percent more.
constexpr std::array<int, 5> kLevels = {0, 1, 3, 5, 7};  // 0: not packed
constexpr int kFramesToLean = 4;              // so many in a row say the same before a step is taken
constexpr std::size_t kHeldUp = 128U << 10U;  // waiting: whoever takes it is slower than we are
constexpr double kMostWork = 0.5;
constexpr auto kFarAway = 5ms;  // windows hold up what is sent, not the far end

// 1: what was sent waits for the line, and we have time. -1: it does not, or for the far end, which is busy
// while the kernel has nothing left to send; or packing takes most of the time, which others may need more.
// 0: buffers on the way are filling up, which tells nothing yet.
int direction(const PackLevel::Signs& signs) {
  if (signs.work > kMostWork) return -1;
  const bool line_is_busy = signs.line.unacknowledged >= kHeldUp;
  if (signs.waiting < kHeldUp) return line_is_busy ? 0 : -1;
  const bool windows_are_narrow = signs.line.round_trip >= kFarAway && !signs.several_channels;
  return line_is_busy || windows_are_narrow ? 1 : -1;
}

// Over a long way the quickest packing is always faster than what one connection moves.
std::size_t lowest_step(const transport::LineState& line) {
  return line.round_trip >= kFarAway ? 1 : 0;
}

}  // namespace

void PackLevel::lean(int where) {
  tendency_ = tendency_ * where < 0 ? where : tendency_ + where;
  if (std::abs(tendency_) < kFramesToLean) return;
  if (tendency_ > 0 && step_ + 1 < kLevels.size()) ++step_;
  if (tendency_ < 0 && step_ > 0) --step_;
  tendency_ = 0;
}

std::optional<int> PackLevel::next(const Signs& signs) {
  lean(direction(signs));
  step_ = std::max(step_, lowest_step(signs.line));
  return kLevels.at(step_) == 0 ? std::nullopt : std::optional(kLevels.at(step_));
}

}  // namespace porter::endpoint
