#include "core/cli/supervisor.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

#include <array>
#include <filesystem>
#include <ostream>

#include "core/base/subprocess.h"
#include "core/base/text.h"
#include "core/cli/log_file.h"
#include "core/cli/recap.h"
#include "core/cli/terminal.h"
#include "core/event/channel.h"
#include "core/event/codec.h"
#include "core/event/reply.h"

namespace porter::cli {
namespace {

// Ctrl-C and its relatives arrive as bytes on a descriptor while this lives.
class SignalStream {
 public:
  SignalStream() {
    sigemptyset(&set_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP})
      sigaddset(&set_, signal);
    ::pthread_sigmask(SIG_BLOCK, &set_, &before_);
    fd_.reset(::signalfd(-1, &set_, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd_) base::throw_errno("signalfd");
  }
  ~SignalStream() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalStream(const SignalStream&) = delete;
  SignalStream& operator=(const SignalStream&) = delete;

  int descriptor() const { return fd_.get(); }
  void take() const {
    signalfd_siginfo info;
    base::read_some(fd_.get(), std::as_writable_bytes(std::span(&info, 1)));
  }

 private:
  sigset_t set_{};
  sigset_t before_{};
  base::UniqueFd fd_;
};

// One worker from start to end.
class Run {
 public:
  Run(const engine::Request& request, std::vector<event::Sink*> sinks, View& view,
      const SignalStream& signals)
      : sinks_(std::move(sinks)), view_(view), signals_(signals), interactive_(request.interactive) {
    base::FdPair line = base::make_socket_pair();
    base::FdPair stray = base::make_pipe();
    base::Command command;
    command.arguments = {std::filesystem::read_symlink("/proc/self/exe").string(), "worker",
                         std::to_string(line.second.get())};
    worker_ = base::Child::start(command, {-1, stray.second.get(), stray.second.get(), {line.second.get()}});
    line.second.reset();
    stray_ = std::move(stray.first);
    channel_ = std::make_unique<event::Channel>(std::move(line.first));
    channel_->send(engine::encode(request));
  }

  // Relays until the worker's line is closed. Nothing: it ended without RunFinished.
  std::optional<event::RunFinished> relay() {
    bool open = true;
    while (open) {
      std::array<pollfd, 3> fds = {pollfd{channel_->descriptor(), POLLIN, 0}, pollfd{stray_.get(), POLLIN, 0},
                                   pollfd{signals_.descriptor(), POLLIN, 0}};
      if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) base::throw_errno("poll");
      if (fds[2].revents != 0) interrupted();
      if (fds[1].revents != 0) read_stray();
      if (fds[0].revents != 0) open = read_event();
    }
    return finished_;
  }

  base::CommandResult wait() { return worker_->wait(); }
  bool was_interrupted() const { return interrupts_ > 0; }

 private:
  void tell(const event::Event& event) {
    for (event::Sink* sink : sinks_)
      sink->handle(event);
  }

  void interrupted() {
    signals_.take();
    ++interrupts_;
    if (interrupts_ == 1) {
      tell(event::Talk{event::Level::warning, "", "", "",
                       "stopping: what is half done is put back; again to end at once"});
      channel_->send(event::encode(event::Stop{}));
    } else {
      worker_->signal_group(SIGKILL);
    }
  }

  // What plugins print past the SDK.
  void read_stray() {
    std::array<std::byte, 4096> buffer;
    const std::size_t got = base::read_some(stray_.get(), buffer);
    if (got == 0) return stray_.reset();
    const std::string_view text(reinterpret_cast<const char*>(buffer.data()), got);
    for (const std::string& line : base::split(base::trim(text), '\n')) {
      tell(event::Talk{event::Level::info, "worker", "", "", line});
    }
  }

  bool read_event() {
    std::optional<std::string> message;
    try {
      message = channel_->receive(base::Deadline::never(), never_);
    } catch (const base::Error&) {
      return false;  // it died inside a message: the same as an end without RunFinished
    }
    if (!message) return false;
    const event::Event event = event::decode(*message);
    if (const auto* question = std::get_if<event::Question>(&event)) {
      answer(*question);
      return true;
    }
    if (const auto* end = std::get_if<event::RunFinished>(&event)) finished_ = *end;
    tell(event);
    return true;
  }

  void answer(const event::Question& question) {
    view_.pause();
    std::optional<base::Secret> text;
    if (interactive_) text = ask_at_terminal(question);
    channel_->send(event::encode(event::Answer{question.id, text}));
  }

  std::vector<event::Sink*> sinks_;
  View& view_;
  const SignalStream& signals_;
  bool interactive_;
  base::CancelToken never_;
  std::unique_ptr<event::Channel> channel_;
  base::UniqueFd stray_;
  std::optional<base::Child> worker_;
  std::optional<event::RunFinished> finished_;
  int interrupts_ = 0;
};

}  // namespace

base::ExitCode supervise(const base::World& world, const engine::Request& request, View& view,
                         Detail detail) {
  const SignalStream signals;
  Recap recap;
  std::vector<event::Sink*> sinks = {&recap, &view};
  std::unique_ptr<LogFile> log;
  try {
    log = std::make_unique<LogFile>(world, request.run_id);
    sinks.push_back(log.get());
  } catch (const base::Error& problem) {
    view.handle(event::Talk{event::Level::warning, "", "", "", "no log is kept: " + problem.message()});
  }

  Run run(request, sinks, view, signals);
  std::optional<event::RunFinished> end = run.relay();
  const base::CommandResult status = run.wait();
  if (!end) {
    const event::Failure crash{"", "", static_cast<int>(base::Code::internal),
                               "error[P100] the worker ended in the middle of the run: " + status.describe()};
    for (event::Sink* sink : sinks)
      sink->handle(crash);
    engine::Request settle = request;
    settle.action = engine::Action::settle;
    Run settler(settle, sinks, view, signals);
    end = settler.relay();
    settler.wait();
    if (!end)
      end =
          event::RunFinished{static_cast<int>(base::ExitCode::rollback_failed), "the settler ended, too", 0};
    if (run.was_interrupted() && end->exit_code == 0)
      end->exit_code = static_cast<int>(base::ExitCode::interrupted);
  }
  view.pause();
  if (detail != Detail::quiet) *world.err << recap.text(*end, log ? log->path().string() : "") << std::endl;
  return static_cast<base::ExitCode>(end->exit_code);
}

}  // namespace porter::cli
