#pragma once
// Byte streams to processes on a target, whatever carries them: SSH or a local child. Used by the endpoint,
// which sees nothing but file descriptors. Transports and processes may be used from any thread; one Process
// belongs to one owner at a time.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/fd.h"

namespace porter::transport {

struct ExitStatus {
  int status = 0;  // -1 when a signal ended it
  int signal = 0;  // that signal; -1 for one that this system has no number for
  bool ok() const { return status == 0 && signal == 0; }
  // "exit status 3", "killed by signal 9".
  std::string describe() const;
};

// What a process wrote to its stderr: the first and the last 16 KiB; what lies between is counted and left
// out. Thread-safe.
class ErrorText {
 public:
  static constexpr std::size_t limit = 32U << 10U;

  void add(std::string_view bytes);
  // Printable text, newlines kept, with a note in place of what was left out.
  std::string get() const;

 private:
  mutable std::mutex mutex_;
  std::string head_;
  std::string tail_;
  std::uint64_t left_out_ = 0;
};

// How a process ends: written once by whoever carries it, awaited by its owner. Thread-safe.
class Ending {
 public:
  Ending();
  // The first of these two counts, later ones are ignored.
  void finish(ExitStatus status);
  void fail(base::Error error);

  bool done() const;
  // Throws the error of a process whose end is not known (the connection broke: unreachable; it could not be
  // started), Error(timeout) at the deadline, Interrupted on cancel.
  ExitStatus wait(base::Deadline deadline, const base::CancelToken& cancel = {}) const;

 private:
  void settle();
  mutable std::mutex mutex_;
  std::optional<ExitStatus> status_;
  std::optional<base::Error> error_;
  base::FdPair done_;  // the second end is closed when the process has ended
};

// How the way to a target is doing.
struct LineState {
  // The shortest one seen, to the far end and with what it needed itself; zero where nothing travels.
  std::chrono::microseconds round_trip{0};
  std::size_t unacknowledged = 0;  // bytes that the kernel was given and the other end has not confirmed
};

// Asked from any thread, and at any time: it may outlive its connection.
class Line {
 public:
  Line() = default;
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  virtual ~Line() = default;
  virtual LineState state() const = 0;
};

// A running process. What is written to `stream` is its stdin, what is read from it is its stdout; shutting
// down the writing half is the end of its stdin. Closing the stream (or destroying the Process) gives the
// process up: an SSH channel is closed, a local child that does not end within two seconds is killed.
struct Process {
  Process() = default;
  Process(Process&&) noexcept = default;
  Process& operator=(Process&& other) noexcept;
  ~Process() = default;

  ExitStatus wait(base::Deadline deadline, const base::CancelToken& cancel = {}) const {
    return ending->wait(deadline, cancel);
  }

  LineState line_state() const { return line ? line->state() : LineState(); }

  std::shared_ptr<const Line> line;  // null where nothing travels
  std::shared_ptr<void> keeper;      // keeps the carrier alive; released after the stream is closed
  std::shared_ptr<ErrorText> errors;
  std::shared_ptr<Ending> ending;
  base::UniqueFd stream;  // blocking; one end of a socket pair
};

// Bytes as they travelled, encrypted and with all overhead where there is a network.
struct TrafficCount {
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
};

class Transport {
 public:
  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  // Starts a program by argument list (quoted for the remote shell where there is one). Over SSH it returns
  // before the far end has answered, so that the first bytes travel with the request; what went wrong there
  // is known from Process::wait() after the end of the stream. Throws Error(missing) for a local program that
  // does not exist and Error(unreachable) when the connection is known to be gone.
  virtual Process start(const std::vector<std::string>& arguments) = 0;

  // For messages: `testing (deploy@127.0.0.1:2222)`, `laptop (local)`.
  virtual std::string describe() const = 0;
  virtual TrafficCount traffic() const = 0;
};

}  // namespace porter::transport
