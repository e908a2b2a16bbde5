#include "core/base/fd.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include <array>
#include <thread>

#include "core/base/error.h"
#include "tests/support/catch.h"
#include "tests/support/error_of.h"

using namespace porter::base;
using namespace std::chrono_literals;
using porter::tests::error_of;

namespace {

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

}  // namespace

TEST_CASE("a descriptor is closed once, by its last owner", "[fd]") {
  FdPair pipe = make_pipe();
  const int number = pipe.first.get();
  {
    UniqueFd moved = std::move(pipe.first);
    CHECK_FALSE(pipe.first.valid());
    CHECK(moved.get() == number);
    CHECK(is_open(number));
  }
  CHECK_FALSE(is_open(number));
  const int second = pipe.second.release();
  CHECK_FALSE(pipe.second);
  CHECK(is_open(second));
  const UniqueFd again(second);
}

TEST_CASE("no descriptor made here goes on into a child", "[fd]") {
  const FdPair pipe = make_pipe();
  const FdPair sockets = make_socket_pair();
  for (const UniqueFd* fd : {&pipe.first, &pipe.second, &sockets.first, &sockets.second})
    CHECK((::fcntl(fd->get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("what is written whole is read to the end", "[fd]") {
  FdPair pipe = make_pipe();
  const std::string text(1U << 20U, 'x');  // more than a pipe holds
  std::thread writer([&] {
    write_all(pipe.second.get(), text);
    pipe.second.reset();
  });
  CHECK(read_to_end(pipe.first.get(), text.size()) == text);
  writer.join();
}

TEST_CASE("reading stops beyond its limit, and at it does not", "[fd]") {
  FdPair pipe = make_pipe();
  write_all(pipe.second.get(), "12345");
  pipe.second.reset();
  SECTION("exactly as much") {
    CHECK(read_to_end(pipe.first.get(), 5) == "12345");
  }
  SECTION("one more") {
    const Error error = error_of([&] { read_to_end(pipe.first.get(), 4); });
    CHECK(error.code() == Code::refused);
    CHECK(error.message().find("4 bytes") != std::string::npos);
  }
}

TEST_CASE("a reader that went away is an error of the writer", "[fd]") {
  ::signal(SIGPIPE, SIG_IGN);
  FdPair pipe = make_pipe();
  pipe.first.reset();
  CHECK(error_of([&] { write_all(pipe.second.get(), "x"); }).code() == Code::io);
}

TEST_CASE("a bad descriptor is an error, not an end of file", "[fd]") {
  std::array<std::byte, 4> buffer{};
  CHECK(error_of([&] { read_some(-1, buffer); }).code() == Code::io);
}

TEST_CASE("a peer that closes with data unread counts as an end of file", "[fd]") {
  FdPair pair = make_socket_pair();
  write_all(pair.first.get(), "never read");
  pair.second.reset();
  std::array<std::byte, 4> buffer{};
  CHECK(read_some(pair.first.get(), buffer) == 0);
}

TEST_CASE("waiting ends when there is something, at the deadline, and on cancel", "[fd]") {
  FdPair pipe = make_pipe();
  const CancelToken cancel;
  CHECK_NOTHROW(wait_writable(pipe.second.get(), Deadline::never(), cancel));
  CHECK(error_of([&] { wait_readable(pipe.first.get(), Deadline::in(1ms), cancel); }).code() ==
        Code::timeout);
  write_all(pipe.second.get(), "x");
  CHECK_NOTHROW(wait_readable(pipe.first.get(), Deadline::never(), cancel));
  std::array<std::byte, 1> one{};
  read_some(pipe.first.get(), one);
  std::thread other([&] { cancel.cancel(); });
  CHECK_THROWS_AS(wait_readable(pipe.first.get(), Deadline::never(), cancel), Interrupted);
  other.join();
}
