#include "core/agent/server_input.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "core/base/clock.h"
#include "core/base/fd.h"
#include "core/protocol/messages.h"

namespace porter::agent {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr std::size_t kRoom = 8U << 20U;
constexpr auto kGrace = 8s;
constexpr int kExitHard = 4;
constexpr int kStep = 250;  // milliseconds

bool hung_up(int fd) {
  pollfd wait{fd, POLLRDHUP, 0};
  return ::poll(&wait, 1, 0) > 0 && (wait.revents & (POLLHUP | POLLRDHUP | POLLERR)) != 0;
}

}  // namespace

Input::Input(int fd, const std::string& said, base::CancelToken lost)
    : fd_(fd), lost_(std::move(lost)), channels_(fd) {
  reader_.feed(said);
  thread_ = std::thread([this] { read_all(); });
}

Input::~Input() {
  stop_.cancel();
  changed_.notify_all();
  thread_.join();
}

std::optional<protocol::Frame> Input::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return over_ || !frames_.empty(); });
  if (why_) throw base::Error(*why_);
  if (over_) return std::nullopt;
  protocol::Frame frame = std::move(frames_.front());
  frames_.pop_front();
  waiting_bytes_ -= frame.payload.size() + protocol::kHeaderSize;
  changed_.notify_all();
  return frame;
}

// False when the stream ended or nothing came for too long.
bool Input::hear(protocol::Patience& patience) {
  // In steps, since the greeting shortens or lengthens the deadline while we wait here.
  patience.set_deadline(idle_.load());
  if (patience.over(steady_clock::now())) return false;
  const Channels::Heard heard = channels_.hear(stop_.descriptor(), kStep);
  reader_.feed(heard.bytes);
  patience.heard_part(heard.count, steady_clock::now());
  hand_over_frames(patience);
  return !heard.over;
}

void Input::read_all() {
  try {
    protocol::Patience patience(idle_.load(), steady_clock::now());
    hand_over_frames(patience);
    while (hear(patience)) {
    }
    finish(std::nullopt);
  } catch (const base::Error& error) {
    finish(error.code() == base::Code::protocol ? std::optional(error) : std::nullopt);
  }
  end_hard_unless_stopped();
}

void Input::hand_over_frames(protocol::Patience& patience) {
  while (auto frame = reader_.next()) {
    if (frame->type == static_cast<std::uint8_t>(protocol::Type::stripe)) {
      begin_stripes(*frame);
    } else {
      hand_over(std::move(*frame));
    }
    patience.restart(steady_clock::now());  // what the taker needed is not the peer's silence
  }
}

// About how frames travel, so nobody else's business.
void Input::begin_stripes(const protocol::Frame& frame) {
  const auto message = protocol::expect<protocol::Stripe>(frame);
  if (!greeted_) throw base::Error(base::Code::protocol, "stripes begin before the greeting");
  reader_.feed(channels_.begin_stripes(message.token, reader_.take_rest()));
}

void Input::hand_over(protocol::Frame frame) {
  if (frame.type == static_cast<std::uint8_t>(protocol::Type::beat) && frame.payload.empty()) return;
  std::unique_lock lock(mutex_);
  wait_for_room(lock);
  waiting_bytes_ += frame.payload.size() + protocol::kHeaderSize;
  frames_.push_back(std::move(frame));
  changed_.notify_all();
}

void Input::wait_for_room(std::unique_lock<std::mutex>& lock) {
  while (waiting_bytes_ > kRoom && !stop_.cancelled()) {
    changed_.wait_for(lock, 200ms);
    // A peer that is gone will send no more: do not wait for the taker to notice.
    if (waiting_bytes_ > kRoom && hung_up(fd_)) return;
  }
}

void Input::finish(std::optional<base::Error> why) {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
    why_ = std::move(why);
  }
  lost_.cancel();
  changed_.notify_all();
}

void Input::end_hard_unless_stopped() const {
  pollfd stopped{stop_.descriptor(), POLLIN, 0};
  const auto deadline = base::Deadline::in(kGrace);
  while (!stop_.cancelled() && !deadline.passed())
    ::poll(&stopped, 1, deadline.poll_timeout());
  if (!stop_.cancelled()) ::_exit(kExitHard);
}

}  // namespace porter::agent
