#include "core/cli/worker.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <iostream>
#include <map>
#include <mutex>
#include <thread>

#include "core/base/error.h"
#include "core/base/world.h"
#include "core/engine/engine.h"
#include "core/event/channel.h"
#include "core/event/codec.h"
#include "core/event/reply.h"

namespace porter::cli {
namespace {

// A worker without a supervisor stops in order, and ends within this time: nobody is left who could press
// Ctrl-C again, and what it runs on a target ends with it.
constexpr std::chrono::seconds kGrace{10};

// Both directions of the worker's line: events up, answers and Stop down. A closed line is a Stop.
class Line : public event::Sink, public event::Asker {
 public:
  Line(event::Channel& channel, base::CancelToken cancel) : channel_(channel), cancel_(std::move(cancel)) {}

  void handle(const event::Event& event) noexcept override {
    try {
      channel_.send(event::encode(event, std::chrono::system_clock::now()));
    } catch (const std::exception&) {
      cancel_.cancel();  // nobody reads any more
    }
  }

  std::optional<base::Secret> ask(event::QuestionKind kind, const std::string& text) override {
    const std::lock_guard one_at_a_time(asking_);
    std::unique_lock lock(mutex_);
    const std::uint64_t id = ++last_question_;
    handle(event::Question{id, kind, text});
    answered_.wait(lock, [&] { return closed_ || answers_.contains(id); });
    // Who pressed Ctrl-C at a confirmation has not declined but stopped the run.
    if (kind == event::QuestionKind::confirm) cancel_.check();
    if (closed_) return std::nullopt;
    std::optional<base::Secret> answer = std::move(answers_[id]);
    answers_.erase(id);
    return answer;
  }

  // The receiving thread: until the run is over, or the line is closed.
  void listen() {
    const base::CancelToken never;
    try {
      while (const auto message = channel_.receive(base::Deadline::never(), never))
        take(event::decode_reply(*message));
    } catch (const base::Error&) {
      // A broken line is a closed line.
    }
    cancel_.cancel();
    std::unique_lock lock(mutex_);
    closed_ = true;
    answered_.notify_all();
    if (!ended_.wait_for(lock, kGrace, [this] { return over_; })) ::_exit(1);
  }

  // The run is over: listen() returns.
  void end() {
    ::shutdown(channel_.descriptor(), SHUT_RDWR);
    const std::lock_guard lock(mutex_);
    over_ = true;
    ended_.notify_all();
  }

 private:
  void take(event::Reply reply) {
    if (std::holds_alternative<event::Stop>(reply)) return cancel_.cancel();
    auto& answer = std::get<event::Answer>(reply);
    const std::lock_guard lock(mutex_);
    answers_[answer.question] = std::move(answer.text);
    answered_.notify_all();
  }

  event::Channel& channel_;
  base::CancelToken cancel_;
  std::mutex asking_;
  std::mutex mutex_;
  std::condition_variable answered_;
  std::map<std::uint64_t, std::optional<base::Secret>> answers_;
  std::uint64_t last_question_ = 0;
  bool closed_ = false;
  std::condition_variable ended_;
  bool over_ = false;
};

int serve(event::Channel& channel) {
  const base::CancelToken cancel;
  const auto first = channel.receive(base::Deadline::never(), cancel);
  if (!first) return 1;
  const engine::Request request = engine::decode_request(*first);
  Line line(channel, cancel);
  std::thread listener([&] { line.listen(); });
  const base::ExitCode code = engine::run(request, {base::process_world(), line, line, cancel});
  line.end();
  listener.join();
  return static_cast<int>(code);
}

}  // namespace

int worker_main(int descriptor) noexcept {
  try {
    if (::fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0)  // not for the worker's own children
      base::throw_errno("the line to porter-admin");
    event::Channel channel{base::UniqueFd(descriptor)};
    return serve(channel);
  } catch (const std::exception& problem) {
    std::cerr << "worker: " << problem.what() << ": porter-admin starts it, not a person\n";
    return static_cast<int>(base::ExitCode::usage);
  }
}

}  // namespace porter::cli
