#include "core/transport/local_transport.h"

#include <signal.h>
#include <sys/socket.h>

#include <chrono>
#include <thread>

#include "core/base/error.h"
#include "tests/support/catch.h"

using namespace porter;
using namespace porter::transport;
using namespace std::chrono_literals;

namespace {

base::Deadline soon() {
  return base::Deadline::in(20s);
}

// Enough to fill every buffer on the way many times over; no two blocks alike.
std::string big_text(std::size_t size) {
  std::string text;
  text.reserve(size + 16);
  for (std::uint64_t i = 0; text.size() < size; ++i)
    text += std::to_string(i * 2654435761U) + "\n";
  text.resize(size);
  return text;
}

}  // namespace

TEST_CASE("a local process echoes, sees the end of its input and ends", "[local]") {
  const auto transport = make_local_transport("laptop");
  CHECK(transport->describe() == "laptop (local)");
  Process cat = transport->start({"cat"});
  base::write_all(cat.stream.get(), "hello");
  ::shutdown(cat.stream.get(), SHUT_WR);
  CHECK(base::read_to_end(cat.stream.get(), 100) == "hello");
  CHECK(cat.wait(soon()).ok());
}

TEST_CASE("much data passes a local process in both directions at once", "[local]") {
  Process cat = make_local_transport("laptop")->start({"cat"});
  const std::string text = big_text(8U << 20U);
  std::thread writer([&] {
    base::write_all(cat.stream.get(), text);
    ::shutdown(cat.stream.get(), SHUT_WR);
  });
  const std::string back = base::read_to_end(cat.stream.get(), text.size());
  writer.join();
  CHECK((back == text));
}

TEST_CASE("exit codes and signals of a local process are told apart", "[local]") {
  const auto transport = make_local_transport("laptop");
  Process three = transport->start({"sh", "-c", "exit 3"});
  CHECK(three.wait(soon()).status == 3);
  Process killed = transport->start({"sh", "-c", "kill -9 $$"});
  const ExitStatus status = killed.wait(soon());
  CHECK(status.status == -1);
  CHECK(status.signal == 9);
  CHECK(status.describe() == "killed by signal 9");
}

TEST_CASE("stderr is bounded, printable and complete when the process has ended", "[local]") {
  const auto transport = make_local_transport("laptop");
  Process small = transport->start({"sh", "-c", "printf 'a\\033b\\n' >&2"});
  small.wait(soon());
  CHECK(small.errors->get() == "a\\x1bb\n");
  Process large = transport->start(
      {"sh", "-c", "echo first >&2; head -c 300000 /dev/zero | tr '\\0' x >&2; echo last >&2"});
  large.wait(soon());
  const std::string text = large.errors->get();
  CHECK(text.size() < ErrorText::limit + 100);
  CHECK(text.starts_with("first\n"));
  CHECK(text.ends_with("last\n"));
  CHECK(text.find("left out") != std::string::npos);
}

TEST_CASE("a local program that does not exist is an error at once", "[local]") {
  try {
    make_local_transport("laptop")->start({"/nonexistent/program"});
    FAIL("it started");
  } catch (const base::Error& error) {
    CHECK(error.code() == base::Code::missing);
  }
}

TEST_CASE("closing the stream ends a local process, even one that does not read", "[local]") {
  std::shared_ptr<Ending> reader;
  std::shared_ptr<Ending> sleeper;
  {
    const auto transport = make_local_transport("laptop");
    Process cat = transport->start({"cat"});
    Process sleep = transport->start({"sleep", "1000"});
    reader = cat.ending;
    sleeper = sleep.ending;
  }
  CHECK(reader->wait(soon()).ok());
  CHECK(sleeper->wait(soon()).signal == SIGKILL);
}

TEST_CASE("waiting for a process ends at the deadline and on cancel", "[local]") {
  Process sleep = make_local_transport("laptop")->start({"cat"});
  CHECK_THROWS_AS(sleep.wait(base::Deadline::in(10ms)), base::Error);
  const base::CancelToken cancel;
  cancel.cancel();
  CHECK_THROWS_AS(sleep.wait(soon(), cancel), base::Interrupted);
}
