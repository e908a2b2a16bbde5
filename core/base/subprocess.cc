#include "core/base/subprocess.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "core/base/error.h"

extern char** environ;

namespace porter::base {
namespace {

// Everything the child needs, laid out before fork(): between fork and exec only async-signal-safe calls are
// allowed.
struct Prepared {
  std::vector<std::string> environment;
  std::vector<char*> argument_pointers;
  std::vector<char*> environment_pointers;
};

Prepared prepare(const Command& command) {
  Prepared out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string name(text.substr(0, text.find('=')));
    const bool unset = std::find(command.unset_environment.begin(), command.unset_environment.end(), name) !=
                       command.unset_environment.end();
    if (!unset && !command.set_environment.contains(name)) out.environment.emplace_back(text);
  }
  for (const auto& [name, value] : command.set_environment)
    out.environment.push_back(fmt::format("{}={}", name, value));
  for (const std::string& argument : command.arguments)
    out.argument_pointers.push_back(const_cast<char*>(argument.c_str()));
  for (std::string& entry : out.environment)
    out.environment_pointers.push_back(entry.data());
  out.argument_pointers.push_back(nullptr);
  out.environment_pointers.push_back(nullptr);
  return out;
}

// In the child: puts `from` at `to`, /dev/null when there is none. `from` is never 0..2 unless equal to `to`.
bool place(int from, int to) {
  if (from < 0) from = ::open("/dev/null", to == 0 ? O_RDONLY : O_WRONLY);
  if (from < 0) return false;
  if (from == to) return ::fcntl(to, F_SETFD, 0) == 0;
  return ::dup2(from, to) == to;
}

// In the child: keeps descriptors clear of 0..2, so that placing one does not overwrite another.
int lift(int fd) {
  return fd >= 0 && fd < 3 ? ::fcntl(fd, F_DUPFD_CLOEXEC, 3) : fd;
}

[[noreturn]] void become_program(const Command& command, Prepared& prepared, const Child::Wiring& wiring,
                                 int report, pid_t parent) {
  ::setpgid(0, 0);
  const bool bound = !command.ends_with_us || ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
  if (command.ends_with_us && ::getppid() != parent) ::_exit(127);  // it was quicker
  for (int signal = 1; signal < NSIG; ++signal)
    ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int input = lift(wiring.standard_input);
  const int output = lift(wiring.standard_output);
  const int errors = lift(wiring.standard_error);
  bool ok = bound && place(input, 0) && place(output, 1) && place(errors, 2);
  for (const int fd : wiring.inherited)
    ok = ok && ::fcntl(fd, F_SETFD, 0) == 0;
  for (const int fd : command.inherited)
    ok = ok && ::fcntl(fd, F_SETFD, 0) == 0;
  if (ok && !command.directory.empty()) ok = ::chdir(command.directory.c_str()) == 0;
  if (ok)
    ::execvpe(prepared.argument_pointers[0], prepared.argument_pointers.data(),
              prepared.environment_pointers.data());
  const int reason = errno;
  [[maybe_unused]] const ssize_t written = ::write(report, &reason, sizeof reason);
  ::_exit(127);
}

CommandResult result_of(int wait_status) {
  CommandResult result;
  if (WIFEXITED(wait_status)) {
    result.status = WEXITSTATUS(wait_status);
  } else {
    result.status = -1;
    result.signal = WTERMSIG(wait_status);
  }
  return result;
}

void append_limited(std::string& to, std::string_view more, std::size_t limit) {
  if (to.size() < limit) to.append(more.substr(0, limit - to.size()));
}

// Whether a child has ended; it stays to be waited for.
bool has_ended(pid_t pid) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == pid;
}

// Moves bytes between a running child and its command's fields until the child has ended. Who still holds its
// pipes then (a service that it started) is not waited for.
class Conversation {
 public:
  Conversation(const Command& command, CommandResult& result, UniqueFd input, UniqueFd output,
               UniqueFd errors)
      : command_(command),
        result_(result),
        input_(std::move(input)),
        output_(std::move(output)),
        errors_(std::move(errors)) {
    set_nonblocking(input_.get());
    if (command.input.empty()) input_.reset();
  }

  void run(const Child& child, Deadline deadline, const CancelToken& cancel) {
    const UniqueFd end = child.end_descriptor();
    while (!has_ended(child.pid())) {
      cancel.check();
      if (deadline.passed())
        throw Error(Code::timeout, fmt::format("{}: still running at its deadline", command_.arguments[0]));
      std::array<pollfd, 5> fds = {pollfd{output_.get(), POLLIN, 0}, pollfd{errors_.get(), POLLIN, 0},
                                   pollfd{input_.get(), POLLOUT, 0}, pollfd{cancel.descriptor(), POLLIN, 0},
                                   pollfd{end.get(), POLLIN, 0}};
      if (::poll(fds.data(), fds.size(), patience(end, deadline)) < 0) {
        if (errno != EINTR) throw_errno("poll");
        continue;  // nothing was written into fds
      }
      if (fds[0].revents != 0) drain(output_, result_.output);
      if (fds[1].revents != 0) drain(errors_, result_.errors);
      if (fds[2].revents != 0) feed();
    }
    take_rest(output_, result_.output);
    take_rest(errors_, result_.errors);
  }

 private:
  static int patience(const UniqueFd& end, Deadline deadline) {
    constexpr int kLook = 20;  // milliseconds between looks where the kernel cannot wake us
    const int timeout = deadline.poll_timeout();
    if (end) return timeout;
    return timeout < 0 ? kLook : std::min(timeout, kLook);
  }

  void drain(UniqueFd& from, std::string& to) {
    std::array<std::byte, 65536> buffer;
    const std::size_t got = read_some(from.get(), buffer);
    if (got == 0) return from.reset();
    append_limited(to, {reinterpret_cast<const char*>(buffer.data()), got}, command_.output_limit);
  }

  // What is in the pipe now, and not what somebody may write for ever.
  void take_rest(UniqueFd& from, std::string& to) {
    int waiting = 0;
    if (!from || ::ioctl(from.get(), FIONREAD, &waiting) != 0 || waiting <= 0) return;
    std::string rest(static_cast<std::size_t>(waiting), '\0');
    rest.resize(read_some(from.get(), std::as_writable_bytes(std::span(rest))));
    append_limited(to, rest, command_.output_limit);
  }

  void feed() {
    const std::string_view rest = std::string_view(command_.input).substr(fed_);
    const ssize_t put = ::write(input_.get(), rest.data(), rest.size());
    if (put < 0 && errno != EAGAIN && errno != EINTR)
      return input_.reset();  // it reads no more: its own business
    if (put > 0) fed_ += static_cast<std::size_t>(put);
    if (fed_ == command_.input.size()) input_.reset();
  }

  const Command& command_;
  CommandResult& result_;
  UniqueFd input_;
  UniqueFd output_;
  UniqueFd errors_;
  std::size_t fed_ = 0;
};

}  // namespace

std::string CommandResult::describe() const {
  return signal != 0 ? fmt::format("killed by signal {}", signal) : fmt::format("exit status {}", status);
}

Child Child::start(const Command& command, const Wiring& wiring) {
  Prepared prepared = prepare(command);
  FdPair report = make_pipe();
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) throw_errno("fork");
  if (pid == 0) become_program(command, prepared, wiring, report.second.get(), parent);
  ::setpgid(pid, pid);  // also here, so that a signal sent at once reaches the group
  report.second.reset();
  int reason = 0;
  const std::size_t got = read_some(report.first.get(), std::as_writable_bytes(std::span(&reason, 1)));
  if (got == 0) return Child(pid);
  ::waitpid(pid, nullptr, 0);
  const bool missing = reason == ENOENT || reason == ENOTDIR;
  std::error_code unreachable;
  const bool stands =
      command.directory.empty() || std::filesystem::is_directory(command.directory, unreachable);
  const std::string where = stands ? "" : fmt::format(" in {}", command.directory.string());
  throw Error(missing ? Code::missing : Code::io,
              fmt::format("cannot run {}{}: {}", command.arguments[0], where, std::strerror(reason)));
}

Child::Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}

Child& Child::operator=(Child&& other) noexcept {
  std::swap(pid_, other.pid_);
  return *this;
}

Child::~Child() {
  if (pid_ < 0) return;
  signal_group(SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Child::signal_group(int signal) const {
  if (pid_ > 0) ::kill(-pid_, signal);
}

UniqueFd Child::end_descriptor() const {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
}

CommandResult Child::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0) {
    if (errno != EINTR) throw_errno("waitpid");
  }
  pid_ = -1;
  return result_of(status);
}

std::optional<CommandResult> Child::try_wait() {
  int status = 0;
  const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
  if (ended <= 0) return std::nullopt;
  pid_ = -1;
  return result_of(status);
}

CommandResult run_command(const Command& command, Deadline deadline, const CancelToken& cancel) {
  FdPair input = make_pipe();
  FdPair output = make_pipe();
  FdPair errors = make_pipe();
  const int error_sink = command.merge_output ? output.second.get() : errors.second.get();
  Child child = Child::start(command, {input.first.get(), output.second.get(), error_sink, {}});
  input.first.reset();
  output.second.reset();
  errors.second.reset();
  CommandResult captured;
  Conversation(command, captured, std::move(input.second), std::move(output.first), std::move(errors.first))
      .run(child, deadline, cancel);
  CommandResult result = child.wait();
  result.output = std::move(captured.output);
  result.errors = std::move(captured.errors);
  return result;
}

}  // namespace porter::base
