#include "core/source/build.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <deque>
#include <utility>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/subprocess.h"
#include "core/base/text.h"
#include "core/source/folder_lock.h"

namespace porter::source {
namespace {

using base::Code;
using base::Error;

// Cuts a stream of bytes into lines, hands them on and remembers the last ones.
class Lines {
 public:
  explicit Lines(const std::function<void(std::string_view)>& sink) : sink_(sink) {}

  void take(std::string_view bytes) {
    constexpr std::size_t kLongest = 64U << 10U;
    for (const char c : bytes) {
      if (c == '\n') {
        end_line();
        continue;
      }
      open_ += c;
      if (open_.size() >= kLongest) end_line();
    }
  }

  void finish() {
    if (!open_.empty()) end_line();
  }

  const std::deque<std::string>& last() const { return last_; }

 private:
  void end_line() {
    constexpr std::size_t kKept = 20;
    if (!open_.empty() && open_.back() == '\r') open_.pop_back();
    if (sink_) sink_(open_);
    last_.push_back(std::exchange(open_, {}));
    if (last_.size() > kKept) last_.pop_front();
  }

  const std::function<void(std::string_view)>& sink_;
  std::string open_;
  std::deque<std::string> last_;
};

std::size_t take_some(int fd, Lines& lines) {
  std::array<std::byte, 65536> buffer;
  const std::size_t got = base::read_some(fd, buffer);
  lines.take({reinterpret_cast<const char*>(buffer.data()), got});
  return got;
}

// What still stands in the pipe when the build has ended. A daemon it started may hold the pipe open, or even
// go on writing: no more than is there now is waited for.
void take_rest(int fd, Lines& lines) {
  constexpr std::size_t kMost = 1U << 20U;  // the largest pipe an ordinary user can have
  std::size_t taken = 0;
  pollfd ready{fd, POLLIN, 0};
  while (taken<kMost&& ::poll(&ready, 1, 0)> 0) {
    const std::size_t got = take_some(fd, lines);
    if (got == 0) break;
    taken += got;
  }
  lines.finish();
}

// Until the program itself has ended, which is not the same as the end of its output.
void follow(const base::Child& child, base::UniqueFd output, Lines& lines, const BuildRequest& request,
            const base::CancelToken& cancel) {
  // By number: glibc 2.36 declares pidfd_open() without C linkage.
  const base::UniqueFd ended(static_cast<int>(::syscall(SYS_pidfd_open, child.pid(), 0)));
  if (!ended) base::throw_errno("pidfd_open");
  int reading = output.get();
  for (;;) {
    cancel.check();
    if (request.deadline.passed()) throw Error(Code::timeout, "the build still runs at its deadline");
    std::array<pollfd, 3> fds = {pollfd{reading, POLLIN, 0}, pollfd{ended.get(), POLLIN, 0},
                                 pollfd{cancel.descriptor(), POLLIN, 0}};
    if (::poll(fds.data(), fds.size(), request.deadline.poll_timeout()) < 0 && errno != EINTR)
      base::throw_errno("poll");
    if (fds[0].revents != 0 && take_some(reading, lines) == 0) reading = -1;
    if (fds[1].revents == 0) continue;
    child.signal_group(SIGKILL);
    return take_rest(output.get(), lines);
  }
}

std::string last_lines(const Lines& lines) {
  std::string out;
  for (const std::string& line : lines.last())
    out += "\n  " + base::printable(std::string_view(line).substr(0, 1000));
  return out;
}

base::Child start(const base::Command& command, int output) {
  try {
    return base::Child::start(command, {-1, output, output, {}});
  } catch (Error& error) {
    const std::string& program = command.arguments[0];
    if (error.code() != Code::missing && error.code() != Code::io) throw;
    const bool in_tree = program.find('/') != std::string::npos;
    throw Error(error.code() == Code::io ? Code::source : Code::missing, error.message())
        .hint(in_tree
                  ? fmt::format(
                        "{0} is looked for in the checkout; is it committed, executable (git update-index "
                        "--chmod=+x {0}), and the program in its first line installed?",
                        base::printable(program))
                  : fmt::format("install {0}, or write ./{0} for a program of the source",
                                base::printable(program)));
  }
}

base::Command command_of(const Checkout& checkout, const BuildRequest& request) {
  base::Command command;
  command.arguments = request.arguments;
  command.directory = checkout.tree;
  command.set_environment = request.environment;
  // Should we be killed while it goes on: no other run works in this tree until it has ended.
  if (checkout.hold) command.inherited = {checkout.hold->descriptor()};
  // The checkout has no .git of its own: without this a build that asks git would hear about a repository
  // around it.
  command.set_environment.emplace("GIT_CEILING_DIRECTORIES", checkout.tree.parent_path().string());
  command.unset_environment = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"};
  return command;
}

}  // namespace

void run_build(const Checkout& checkout, const BuildRequest& request, const base::CancelToken& cancel) {
  if (!checkout.is_private_copy || checkout.tree.empty())
    throw Error(Code::internal, "a build needs a private checkout");
  if (request.arguments.empty()) throw Error(Code::internal, "a build needs a program");
  cancel.check();
  base::FdPair output = base::make_pipe();
  base::Child child = start(command_of(checkout, request), output.second.get());
  output.second.reset();
  Lines lines(request.on_line);
  const std::string shown = base::printable(base::quote_shell(request.arguments));
  base::while_doing("building with " + shown,
                    [&] { follow(child, std::move(output.first), lines, request, cancel); });
  const base::CommandResult result = child.wait();
  if (result.ok()) return;
  throw Error(Code::source, fmt::format("build {}: {}{}", shown, result.describe(), last_lines(lines)))
      .hint("the build runs in a clean checkout: whatever it needs must be committed or installed");
}

}  // namespace porter::source
