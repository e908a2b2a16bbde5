#include "core/protocol/patience.h"

#include "tests/support/catch.h"

namespace porter::protocol {

using namespace std::chrono_literals;

TEST_CASE("a peer is silent when nothing that counts came within the deadline") {
  const Patience::Moment start{};
  Patience patience(10s, start);
  CHECK_FALSE(patience.over(start + 10s));
  CHECK(patience.over(start + 10s + 1ms));
  patience.restart(start + 9s);  // a frame
  CHECK_FALSE(patience.over(start + 19s));
  CHECK(patience.over(start + 20s));
  patience.set_deadline(20s);
  CHECK_FALSE(patience.over(start + 29s));
}

TEST_CASE("a trickle of bytes is silence, a large frame over a slow line is none") {
  const Patience::Moment start{};
  Patience trickle(10s, start);
  for (int second = 1; second <= 10; ++second)
    trickle.heard_part(1, start + std::chrono::seconds(second));
  CHECK(trickle.over(start + 11s));

  Patience slow(10s, start);
  for (int second = 1; second <= 600; ++second) {
    slow.heard_part(Patience::kProgress / 10 + 1, start + std::chrono::seconds(second));
    CHECK_FALSE(slow.over(start + std::chrono::seconds(second)));
  }
  // What came before a frame does not count towards the next one.
  slow.heard_part(Patience::kProgress - 1, start + 601s);
  slow.restart(start + 601s);
  slow.heard_part(1, start + 605s);
  CHECK(slow.over(start + 612s));
}

}  // namespace porter::protocol
