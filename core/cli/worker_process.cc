#include "core/cli/worker_process.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "core/base/error.h"
#include "core/cli/terminal.h"
#include "core/event/codec.h"
#include "core/event/reply.h"

namespace porter::cli {
namespace {

constexpr std::chrono::seconds kGrace{10};  // for a process whose line is closed to end, too

void wait_for(std::array<pollfd, 4>& fds, int milliseconds) {
  if (::poll(fds.data(), fds.size(), milliseconds) >= 0) return;
  if (errno != EINTR) base::throw_errno("poll");
  for (pollfd& each : fds)
    each.revents = 0;
}

}  // namespace

WorkerProcess::WorkerProcess(const std::filesystem::path& program, const engine::Request& request,
                             std::vector<event::Sink*> sinks, View& view, const SignalStream& signals,
                             Wish& wish)
    : sinks_(std::move(sinks)),
      view_(view),
      signals_(signals),
      wish_(wish),
      interactive_(request.interactive),
      settles_(request.action == engine::Action::settle) {
  base::FdPair line = base::make_socket_pair();
  base::FdPair stray = base::make_pipe();
  base::Command command;
  command.arguments = {program.string(), "worker", std::to_string(line.second.get())};
  worker_ = base::Child::start(command, {-1, stray.second.get(), stray.second.get(), {line.second.get()}});
  end_ = worker_->end_descriptor();
  line.second.reset();
  stray_ = std::move(stray.first);
  base::set_nonblocking(stray_.get());
  channel_ = std::make_unique<event::Channel>(std::move(line.first));
  send(engine::encode(request));
}

std::optional<event::RunFinished> WorkerProcess::relay() {
  for (bool open = true; open;) {
    std::array<pollfd, 4> fds = {pollfd{channel_->descriptor(), POLLIN, 0}, pollfd{stray_.get(), POLLIN, 0},
                                 pollfd{signals_.descriptor(), POLLIN, 0}, pollfd{end_.get(), POLLIN, 0}};
    wait_for(fds, -1);
    if (fds[2].revents != 0) take_signals();
    if (fds[1].revents != 0) read_stray();
    if (fds[0].revents != 0) {
      open = read_event();
    } else if (fds[3].revents != 0) {
      open = false;  // all is read; a child of a plugin's holds the other end, perhaps for ever
    }
  }
  see_out();
  return finished_;
}

void WorkerProcess::tell(const event::Event& event) {
  for (event::Sink* sink : sinks_)
    sink->handle(event);
}

// A worker that is gone cannot be told anything; that its line is closed is seen in relay().
void WorkerProcess::send(const std::string& message) {
  try {
    channel_->send(message);
  } catch (const base::Error&) {
  }
}

void WorkerProcess::take_signals() {
  while (signals_.take())
    interrupted();
}

void WorkerProcess::interrupted() {
  const Wish next = wish_ < Wish::leave ? static_cast<Wish>(static_cast<int>(wish_) + 1) : Wish::leave;
  wish_ = settles_ ? std::max(next, Wish::abort) : next;  // a settler aborts nothing
  if (wish_ == Wish::stop) {
    warn(
        "stopping after the step that is running; again to abort it and put back what is half done; a third "
        "time to leave at once");
    send(event::encode(event::Stop{}));
  } else if (settles_ && wish_ == Wish::abort) {
    warn("still putting back what is half done; again to leave at once");
  } else {
    worker_->signal_group(SIGKILL);
  }
}

// What plugins print past the SDK. False when nothing is there.
bool WorkerProcess::read_stray() {
  std::array<char, 4096> buffer;
  const ssize_t got = ::read(stray_.get(), buffer.data(), buffer.size());
  if (got < 0 && errno == EINTR) return true;
  if (got == 0) stray_.reset();
  if (got <= 0) return false;
  stray_lines_.add({buffer.data(), static_cast<std::size_t>(got)},
                   [this](const std::string& line) { tell_stray(line); });
  return true;
}

bool WorkerProcess::read_event() {
  try {
    const std::optional<std::string> message = channel_->receive(base::Deadline::never(), never_);
    if (!message) return false;
    take(event::decode(*message));
    return true;
  } catch (const base::Error&) {
    return false;  // it died inside a message, or wrote nonsense: as good as an end without RunFinished
  }
}

void WorkerProcess::take(const event::Event& event) {
  if (const auto* question = std::get_if<event::Question>(&event)) return answer(*question);
  culprits_.handle(event);
  if (const auto* failure = std::get_if<event::Failure>(&event); failure != nullptr && first_failure_.empty())
    first_failure_ = failure->text;
  if (const auto* end = std::get_if<event::RunFinished>(&event)) {
    finished_ = *end;
  } else {
    tell(event);
  }
}

void WorkerProcess::answer(const event::Question& question) {
  view_.pause();
  std::optional<base::Secret> text;
  if (interactive_) text = ask_at_terminal(question, channel_->descriptor());
  take_signals();  // first, so that who pressed Ctrl-C is known to have stopped and not to have declined
  send(event::encode(event::Answer{question.id, text}));
}

// The line is closed; the process may still print, or hang in a plugin's last words.
void WorkerProcess::see_out() {
  const base::Deadline deadline = base::Deadline::in(kGrace);
  for (;;) {
    constexpr int kLook = 50;  // milliseconds; the end itself wakes us where the kernel can
    std::array<pollfd, 4> fds = {pollfd{-1, 0, 0}, pollfd{stray_.get(), POLLIN, 0},
                                 pollfd{signals_.descriptor(), POLLIN, 0}, pollfd{end_.get(), POLLIN, 0}};
    wait_for(fds, kLook);
    if (fds[2].revents != 0) take_signals();
    if (fds[1].revents != 0) read_stray();
    // The programs of a plugin that died with its worker; while that is not waited for, its group is its own.
    if (fds[3].revents != 0 && !finished_) worker_->signal_group(SIGKILL);
    if ((result_ = worker_->try_wait())) break;
    if (deadline.passed()) worker_->signal_group(SIGKILL);
  }
  // What is in the pipe now: a child of a plugin's may hold its other end for ever.
  constexpr int kMostReads = 64;
  for (int i = 0; i < kMostReads && stray_ && read_stray(); ++i) {
  }
  stray_lines_.flush([this](const std::string& line) { tell_stray(line); });
}

}  // namespace porter::cli
