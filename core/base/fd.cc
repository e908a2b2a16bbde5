#include "core/base/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/base/error.h"

namespace porter::base {
namespace {

void wait_for(int fd, short events, Deadline deadline, const CancelToken& cancel) {
  std::array<pollfd, 2> fds = {pollfd{fd, events, 0}, pollfd{cancel.descriptor(), POLLIN, 0}};
  for (;;) {
    cancel.check();
    const int ready = ::poll(fds.data(), fds.size(), deadline.poll_timeout());
    if (ready < 0 && errno != EINTR) throw_errno("poll");
    cancel.check();
    if (ready > 0 && fds[0].revents != 0) return;
    if (deadline.passed()) throw Error(Code::timeout, "no answer within the time allowed");
  }
}

}  // namespace

void UniqueFd::reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

FdPair make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno("pipe");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

FdPair make_socket_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) throw_errno("socketpair");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

void set_nonblocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) throw_errno("fcntl");
}

std::size_t read_some(int fd, std::span<std::byte> into) {
  for (;;) {
    const ssize_t got = ::read(fd, into.data(), into.size());
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno == ECONNRESET) return 0;
    if (errno != EINTR) throw_errno("read");
  }
}

std::size_t read_at(int fd, std::span<std::byte> into, std::uint64_t offset, std::string_view subject) {
  std::size_t filled = 0;
  while (filled < into.size()) {
    const std::span<std::byte> rest = into.subspan(filled);
    const ssize_t got = ::pread(fd, rest.data(), rest.size(), static_cast<off_t>(offset + filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno(std::string(subject));
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  return filled;
}

void write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw_errno("write");
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
}

void write_all(int fd, std::string_view text) {
  write_all(fd, std::as_bytes(std::span(text.data(), text.size())));
}

void write_at(int fd, std::span<const std::byte> bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw_errno("write");
    bytes = bytes.subspan(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
}

std::string read_to_end(int fd, std::size_t limit) {
  std::string all;
  struct stat status {};
  if (::fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
    all.reserve(std::min(static_cast<std::size_t>(status.st_size), limit));
  std::array<std::byte, 65536> buffer;
  for (;;) {
    const std::size_t got = read_some(fd, buffer);
    if (got == 0) return all;
    all.append(reinterpret_cast<const char*>(buffer.data()), got);
    if (all.size() > limit)
      throw Error(Code::refused, "larger than the limit of " + std::to_string(limit) + " bytes");
  }
}

void pause(Deadline deadline, const CancelToken& cancel) {
  pollfd stop{cancel.descriptor(), POLLIN, 0};
  while (!deadline.passed()) {
    cancel.check();
    if (::poll(&stop, 1, deadline.poll_timeout()) < 0 && errno != EINTR) throw_errno("poll");
  }
}

void wait_readable(int fd, Deadline deadline, const CancelToken& cancel) {
  wait_for(fd, POLLIN, deadline, cancel);
}
void wait_writable(int fd, Deadline deadline, const CancelToken& cancel) {
  wait_for(fd, POLLOUT, deadline, cancel);
}

}  // namespace porter::base
