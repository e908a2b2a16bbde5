#include "core/endpoint/pack_level.h"

#include "tests/support/catch.h"

using namespace porter::endpoint;
using namespace std::chrono_literals;
using porter::transport::LineState;

namespace {

constexpr std::size_t kMuch = 1U << 20U;

// The level after so many frames of the same kind.
std::optional<int> after(PackLevel& level, int frames, std::size_t waiting, const LineState& line,
                         double work = 0.2) {
  std::optional<int> last;
  for (int i = 0; i < frames; ++i)
    last = level.next({waiting, work, line});
  return last;
}

}  // namespace

TEST_CASE("on this very machine nothing is packed, however busy the far end", "[pack_level]") {
  PackLevel local;
  CHECK_FALSE(after(local, 100, kMuch, {}));
  PackLevel loopback;
  CHECK_FALSE(after(loopback, 100, kMuch, {50us, 1000}));
}

TEST_CASE("a line that holds us up is worth more and more work, up to the most", "[pack_level]") {
  PackLevel near;
  CHECK_FALSE(near.next({0, 0, {200us, 0}}));
  int before = 0;
  for (int i = 0; i < 40; ++i) {
    const int now = near.next({kMuch, 0.2, {200us, kMuch}}).value_or(0);
    CHECK(now >= before);
    before = now;
  }
  CHECK(before == 7);
  // Windows that are used up leave nothing in the kernel when the way is long.
  PackLevel far;
  CHECK(far.next({0, 0, {100ms, 0}}) == 1);
  CHECK(after(far, 40, kMuch, {100ms, 0}) == 7);
}

TEST_CASE("a line that is faster than packing is worth less and less", "[pack_level]") {
  PackLevel level;
  CHECK(after(level, 40, kMuch, {30ms, kMuch}) == 7);
  CHECK(after(level, 8, 0, {30ms, 0}) == 3);
  CHECK(after(level, 100, 0, {30ms, 0}) == 1);
  PackLevel near;
  CHECK(after(near, 40, kMuch, {1ms, kMuch}) == 7);
  CHECK_FALSE(after(near, 100, 0, {1ms, 0}));
  CHECK(after(near, 40, kMuch, {1ms, kMuch}) == 7);
}

TEST_CASE("where several channels carry it, a long way alone is no reason to pack harder", "[pack_level]") {
  PackLevel level;
  for (int i = 0; i < 40; ++i)
    CHECK(level.next({kMuch, 0.2, {100ms, 0}, true}) == 1);
  for (int i = 0; i < 40; ++i)
    (void)level.next({kMuch, 0.2, {100ms, kMuch}, true});
  CHECK(level.next({kMuch, 0.2, {100ms, kMuch}, true}) == 7);
}

TEST_CASE("buffers that fill up, and a moment's change, decide nothing", "[pack_level]") {
  PackLevel level;
  CHECK(after(level, 100, 0, {30ms, kMuch}) == 1);
  for (int i = 0; i < 20; ++i) {
    CHECK(after(level, 3, kMuch, {30ms, kMuch}) == 1);
    CHECK(after(level, 3, 0, {30ms, 0}) == 1);
  }
}

TEST_CASE("work that takes most of the time is too much, whatever waits", "[pack_level]") {
  PackLevel level;
  CHECK(after(level, 40, kMuch, {30ms, kMuch}, 0.4) == 7);
  CHECK(after(level, 4, kMuch, {30ms, kMuch}, 0.6) == 5);
  CHECK(after(level, 100, kMuch, {30ms, kMuch}, 0.9) == 1);
}
