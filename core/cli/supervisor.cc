#include "core/cli/supervisor.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <ostream>

#include "core/base/subprocess.h"
#include "core/base/text.h"
#include "core/cli/log_file.h"
#include "core/cli/recap.h"
#include "core/cli/signal_stream.h"
#include "core/cli/terminal.h"
#include "core/event/channel.h"
#include "core/event/codec.h"
#include "core/event/reply.h"

namespace porter::cli {
namespace {

constexpr std::chrono::seconds kGrace{10};  // for a process whose line is closed to end, too

// What a process printed past the SDK, as whole lines.
class StrayLines {
 public:
  // Gives every line that is complete to tell(text).
  template <class Tell>
  void add(std::string_view text, Tell&& tell) {
    for (const char each : text) {
      if (each != '\n') line_ += each;
      if (each == '\n' || line_.size() >= kLongest) flush(tell);
    }
  }
  template <class Tell>
  void flush(Tell&& tell) {
    if (!base::trim(line_).empty()) tell(line_);
    line_.clear();
  }

 private:
  static constexpr std::size_t kLongest = 4096;
  std::string line_;
};

// One worker, or settler, from start to end.
class Run {
 public:
  Run(const engine::Request& request, std::vector<event::Sink*> sinks, View& view,
      const SignalStream& signals)
      : sinks_(std::move(sinks)),
        view_(view),
        signals_(signals),
        interactive_(request.interactive),
        settles_(request.action == engine::Action::settle) {
    base::FdPair line = base::make_socket_pair();
    base::FdPair stray = base::make_pipe();
    base::Command command;
    command.arguments = {std::filesystem::read_symlink("/proc/self/exe").string(), "worker",
                         std::to_string(line.second.get())};
    worker_ = base::Child::start(command, {-1, stray.second.get(), stray.second.get(), {line.second.get()}});
    line.second.reset();
    stray_ = std::move(stray.first);
    base::set_nonblocking(stray_.get());
    channel_ = std::make_unique<event::Channel>(std::move(line.first));
    send(engine::encode(request));
  }

  // Relays until the process has ended. Nothing: it ended without RunFinished, which is not told but given
  // back: it is for the whole run, which may not be over.
  std::optional<event::RunFinished> relay() {
    for (bool open = true; open;) {
      std::array<pollfd, 3> fds = {pollfd{channel_->descriptor(), POLLIN, 0}, pollfd{stray_.get(), POLLIN, 0},
                                   pollfd{signals_.descriptor(), POLLIN, 0}};
      if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) base::throw_errno("poll");
      if (fds[2].revents != 0) take_signals();
      if (fds[1].revents != 0) read_stray();
      if (fds[0].revents != 0) open = read_event();
    }
    see_out();
    return finished_;
  }

  // How the process ended; after relay().
  const base::CommandResult& result() const { return *result_; }
  bool was_interrupted() const { return interrupts_ > 0; }
  bool was_killed() const { return interrupts_ > 1; }

 private:
  void tell(const event::Event& event) {
    for (event::Sink* sink : sinks_)
      sink->handle(event);
  }

  // A worker that is gone cannot be told anything; that its line is closed is seen in relay().
  void send(const std::string& message) {
    try {
      channel_->send(message);
    } catch (const base::Error&) {
    }
  }

  void take_signals() {
    while (signals_.take())
      interrupted();
  }

  void interrupted() {
    ++interrupts_;
    if (interrupts_ > 1) return worker_->signal_group(SIGKILL);
    if (settles_) return warn("still putting back what is half done; again to leave it as it is");
    warn("stopping: what is half done is put back; again to end at once");
    send(event::encode(event::Stop{}));
  }

  void warn(const std::string& text) { tell(event::Talk{event::Level::warning, "", "", "", text}); }

  void tell_stray(const std::string& line) { tell(event::Talk{event::Level::info, "worker", "", "", line}); }

  // What plugins print past the SDK. False when nothing is there.
  bool read_stray() {
    std::array<char, 4096> buffer;
    const ssize_t got = ::read(stray_.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) return true;
    if (got == 0) stray_.reset();
    if (got <= 0) return false;
    stray_lines_.add({buffer.data(), static_cast<std::size_t>(got)},
                     [this](const std::string& line) { tell_stray(line); });
    return true;
  }

  bool read_event() {
    try {
      const std::optional<std::string> message = channel_->receive(base::Deadline::never(), never_);
      if (!message) return false;
      take(event::decode(*message));
      return true;
    } catch (const base::Error&) {
      return false;  // it died inside a message, or wrote nonsense: as good as an end without RunFinished
    }
  }

  void take(const event::Event& event) {
    if (const auto* question = std::get_if<event::Question>(&event)) return answer(*question);
    if (const auto* end = std::get_if<event::RunFinished>(&event)) {
      finished_ = *end;
    } else {
      tell(event);
    }
  }

  void answer(const event::Question& question) {
    view_.pause();
    std::optional<base::Secret> text;
    if (interactive_) text = ask_at_terminal(question, channel_->descriptor());
    take_signals();  // first, so that who pressed Ctrl-C is known to have stopped and not to have declined
    send(event::encode(event::Answer{question.id, text}));
  }

  // The line is closed; the process may still print, or hang in a plugin's last words.
  void see_out() {
    const base::UniqueFd end = worker_->end_descriptor();
    const base::Deadline deadline = base::Deadline::in(kGrace);
    while (!(result_ = worker_->try_wait())) {
      if (deadline.passed()) worker_->signal_group(SIGKILL);
      constexpr int kLook = 50;  // milliseconds; the end itself wakes us where the kernel can
      std::array<pollfd, 3> fds = {pollfd{end.get(), POLLIN, 0}, pollfd{stray_.get(), POLLIN, 0},
                                   pollfd{signals_.descriptor(), POLLIN, 0}};
      if (::poll(fds.data(), fds.size(), kLook) < 0 && errno != EINTR) base::throw_errno("poll");
      if (fds[2].revents != 0) take_signals();
      if (fds[1].revents != 0) read_stray();
    }
    // What is in the pipe now: a child of a plugin's may hold its other end for ever.
    constexpr int kMostReads = 64;
    for (int i = 0; i < kMostReads && stray_ && read_stray(); ++i) {
    }
    stray_lines_.flush([this](const std::string& line) { tell_stray(line); });
  }

  std::vector<event::Sink*> sinks_;
  View& view_;
  const SignalStream& signals_;
  bool interactive_;
  bool settles_;
  base::CancelToken never_;
  std::unique_ptr<event::Channel> channel_;
  base::UniqueFd stray_;
  StrayLines stray_lines_;
  std::optional<base::Child> worker_;
  std::optional<base::CommandResult> result_;
  std::optional<event::RunFinished> finished_;
  int interrupts_ = 0;
};

// One invocation: a worker and, should that die, a settler.
class Supervision {
 public:
  Supervision(const base::World& world, const engine::Request& request, View& view)
      : request_(request), view_(view), recap_(request.action), sinks_{&recap_, &view} {
    if (engine::only_looks(request.action)) return;
    try {
      log_ = std::make_unique<LogFile>(world, request.run_id);
      sinks_.push_back(log_.get());
    } catch (const base::Error& problem) {
      view.handle(event::Talk{event::Level::warning, "", "", "", "no log is kept: " + problem.message()});
    }
  }

  event::RunFinished run() {
    Run worker(request_, sinks_, view_, signals_);
    std::optional<event::RunFinished> end = worker.relay();
    if (!end) end = after_crash(worker);
    tell(*end);
    view_.pause();
    return *end;
  }

  std::string recap(const event::RunFinished& end) const {
    return recap_.text(end, log_ ? log_->path().string() : "");
  }

 private:
  void tell(const event::Event& event) {
    for (event::Sink* sink : sinks_)
      sink->handle(event);
  }

  event::RunFinished after_crash(const Run& worker) {
    const std::string how = "the worker ended in the middle of the run: " + worker.result().describe();
    const std::string text = base::format_error(base::Error(base::Code::internal, how));
    if (worker.was_killed()) {
      tell(event::Talk{event::Level::warning, "", "", "", "ended at once; putting back what is half done"});
    } else {
      tell(event::Failure{"", "", static_cast<int>(base::Code::internal), text});
    }
    event::RunFinished end = settle();
    if (end.cause.empty()) end.cause = worker.was_killed() ? "interrupted" : text;
    if (worker.was_interrupted() && is_as_before(end.exit_code))
      end.exit_code = static_cast<int>(base::ExitCode::interrupted);
    return end;
  }

  // Every host runs what it ran before.
  static bool is_as_before(int code) {
    return code == static_cast<int>(base::ExitCode::ok) ||
           code == static_cast<int>(base::ExitCode::internal) ||
           code == static_cast<int>(base::ExitCode::nothing_activated);
  }

  event::RunFinished settle() {
    event::RunFinished failed{static_cast<int>(base::ExitCode::rollback_failed), "the settler ended, too", 0};
    try {
      engine::Request request = request_;
      request.action = engine::Action::settle;
      Run settler(request, sinks_, view_, signals_);
      const std::optional<event::RunFinished> end = settler.relay();
      if (end) return *end;
    } catch (const base::Error& problem) {
      failed.cause = base::format_error(problem);
    }
    tell(event::Failure{"", "", static_cast<int>(base::Code::internal), failed.cause});
    return failed;
  }

  const SignalStream signals_;
  const engine::Request& request_;
  View& view_;
  Recap recap_;
  std::vector<event::Sink*> sinks_;
  std::unique_ptr<LogFile> log_;
};

}  // namespace

base::ExitCode supervise(const base::World& world, const engine::Request& request, View& view,
                         Detail detail) {
  Supervision supervision(world, request, view);
  const event::RunFinished end = supervision.run();
  const std::string recap = supervision.recap(end);
  if (detail != Detail::quiet && !recap.empty()) *world.err << recap << std::endl;
  return static_cast<base::ExitCode>(end.exit_code);
}

}  // namespace porter::cli
