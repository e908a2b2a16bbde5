#pragma once
// File descriptors that close themselves, and whole reads and writes. All functions retry EINTR. Every
// descriptor made here is close-on-exec.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/cancel.h"
#include "core/base/clock.h"

namespace porter::base {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    reset(other.release());
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  explicit operator bool() const { return valid(); }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

struct FdPair {
  UniqueFd first;
  UniqueFd second;
};

// A pipe (first reads, second writes) and a stream socket pair. Throw Error(io).
FdPair make_pipe();
FdPair make_socket_pair();

void set_nonblocking(int fd);

// Reads up to `into.size()` bytes; 0 means end of file. Throws Error(io).
std::size_t read_some(int fd, std::span<std::byte> into);
// With pread(2), until `into` is full or the file ends: gives how many bytes that were. The position stays.
// `subject` is what a failure names.
std::size_t read_at(int fd, std::span<std::byte> into, std::uint64_t offset,
                    std::string_view subject = "read");
// Writes everything. Throws Error(io); a reader that went away is an Error too, never SIGPIPE's death (the
// mains ignore that signal).
void write_all(int fd, std::span<const std::byte> bytes);
void write_all(int fd, std::string_view text);
// The same with pwrite(2): the position stays.
void write_at(int fd, std::span<const std::byte> bytes, std::uint64_t offset);
// Everything up to end of file. Throws Error(refused) beyond `limit` bytes.
std::string read_to_end(int fd, std::size_t limit);

// Waits until `fd` is readable (or writable). Throws Error(timeout) at the deadline and Interrupted on
// cancel.
void wait_readable(int fd, Deadline deadline, const CancelToken& cancel);
void wait_writable(int fd, Deadline deadline, const CancelToken& cancel);
// Waits for the deadline. Throws Interrupted on cancel.
void pause(Deadline deadline, const CancelToken& cancel);

}  // namespace porter::base
