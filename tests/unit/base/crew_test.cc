#include "core/base/crew.h"

#include <atomic>
#include <latch>
#include <set>
#include <stdexcept>

#include "core/base/error.h"
#include "tests/support/catch.h"

using namespace porter::base;

TEST_CASE("work that brings further work is all done, on no more threads than are allowed", "[crew]") {
  const int threads = GENERATE(1, 2, 4);
  std::atomic<int> done{0};
  std::atomic<int> at_once{0};
  std::atomic<int> most{0};
  Crew crew(threads, {});
  std::function<void(int)> spread = [&](int depth) {
    const int now = ++at_once;
    for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
    }
    for (int i = 0; depth > 0 && i < 3; ++i)
      crew.add([&, depth] { spread(depth - 1); });
    ++done;
    --at_once;
  };
  crew.add([&] { spread(6); });
  crew.finish();
  CHECK(done == 1093);
  CHECK(most <= threads);
  crew.add([&] { spread(0); });
  crew.finish();
  CHECK(done == 1094);
}

TEST_CASE("two pieces that need each other run at once", "[crew]") {
  Crew crew(2, {});
  std::latch both(2);
  for (int i = 0; i < 2; ++i)
    crew.add([&] { both.arrive_and_wait(); });
  crew.finish();
  CHECK(both.try_wait());
}

TEST_CASE("what a piece throws ends the rest, and is thrown where it is waited for", "[crew]") {
  Crew crew(2, {});
  std::atomic<int> after{0};
  crew.add([&] { ++after; });
  crew.add([] { throw Error(Code::io, "no"); });
  CHECK_THROWS_AS(crew.finish(), Error);
  crew.add([&] { ++after; });
  crew.finish();
  CHECK(after >= 1);
  const CancelToken stop;
  Crew stopped(2, stop);
  stop.cancel();
  stopped.add([&] { after = 100; });
  CHECK_THROWS_AS(stopped.finish(), Interrupted);
  CHECK(after < 100);
}

TEST_CASE("who feeds it too fast does the work", "[crew]") {
  Crew crew(1, {});
  int done = 0;
  for (int i = 0; i < 100; ++i) {
    crew.add_bounded([&] { ++done; }, 8);
    CHECK(i + 1 - done <= 8);
  }
  crew.finish();
  CHECK(done == 100);
}

TEST_CASE("work on all cores is done once each, and the first failure ends it", "[crew]") {
  for (const std::size_t count : {0U, 1U, 2U, 1000U}) {
    std::vector<std::atomic<int>> done(count);
    on_all_cores(count, {}, [&](std::size_t i) { ++done[i]; });
    CHECK(std::all_of(done.begin(), done.end(), [](const auto& times) { return times == 1; }));
  }
  std::atomic<int> after{0};
  CHECK_THROWS_AS(on_all_cores(1'000'000, {},
                               [&](std::size_t i) {
                                 if (i == 5) throw Error(Code::io, "no");
                                 ++after;
                               }),
                  Error);
  CHECK(after < 1'000'000);
  const CancelToken stop;
  stop.cancel();
  CHECK_THROWS_AS(on_all_cores(3, stop, [&](std::size_t) {}), Interrupted);
}
