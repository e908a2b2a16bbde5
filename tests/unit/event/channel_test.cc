#include "core/event/channel.h"

#include <thread>

#include "core/base/error.h"
#include "tests/support/catch.h"

using namespace porter;

TEST_CASE("messages arrive whole and in order, and the end of the line is told", "[channel]") {
  base::FdPair ends = base::make_socket_pair();
  event::Channel ours(std::move(ends.first));
  const base::CancelToken cancel;
  {
    event::Channel theirs(std::move(ends.second));
    const std::string large(3U << 20U, 'x');
    std::thread sender([&] {
      theirs.send("");
      theirs.send(large);
    });
    CHECK(ours.receive(base::Deadline::never(), cancel) == "");
    CHECK(ours.receive(base::Deadline::never(), cancel) == large);
    sender.join();
  }
  CHECK_FALSE(ours.receive(base::Deadline::never(), cancel));
}

TEST_CASE("waiting for a message ends at the deadline and on cancel", "[channel]") {
  base::FdPair ends = base::make_socket_pair();
  event::Channel ours(std::move(ends.first));
  const base::CancelToken cancel;
  CHECK_THROWS_AS(ours.receive(base::Deadline::in(std::chrono::milliseconds(1)), cancel), base::Error);
  cancel.cancel();
  CHECK_THROWS_AS(ours.receive(base::Deadline::never(), cancel), base::Interrupted);
}
