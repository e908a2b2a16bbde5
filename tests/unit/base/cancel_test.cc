#include "core/base/cancel.h"

#include <poll.h>

#include <thread>

#include "core/base/error.h"
#include "tests/support/catch.h"

using namespace porter::base;

namespace {

bool readable(const CancelToken& token, int milliseconds = 0) {
  pollfd fd{token.descriptor(), POLLIN, 0};
  return ::poll(&fd, 1, milliseconds) == 1;
}

}  // namespace

TEST_CASE("a cancelled token is cancelled for all its copies, and stays so", "[cancel]") {
  const CancelToken token;
  const CancelToken copy = token;
  CHECK_NOTHROW(copy.check());
  CHECK_FALSE(readable(copy));
  token.cancel();
  token.cancel();
  CHECK(copy.cancelled());
  CHECK(readable(copy));
  CHECK(readable(copy));
  CHECK_THROWS_AS(copy.check(), Interrupted);
}

TEST_CASE("cancelling in one thread wakes another", "[cancel]") {
  const CancelToken token;
  std::thread other([token] { token.cancel(); });
  CHECK(readable(token, 60'000));
  other.join();
}

TEST_CASE("two tokens know nothing of each other", "[cancel]") {
  const CancelToken one;
  const CancelToken two;
  one.cancel();
  CHECK_FALSE(two.cancelled());
}
