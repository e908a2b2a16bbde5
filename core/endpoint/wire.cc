#include "core/endpoint/wire.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/endpoint/pulse.h"

namespace porter::endpoint {
namespace {

using base::Code;
using base::Error;
using std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::size_t kOutRoom = 1U << 20U;
constexpr std::size_t kInboxRoom = 64U << 20U;
constexpr std::size_t kReadSize = 256U << 10U;
constexpr std::size_t kWorthPacking = 4U << 10U;

constexpr auto kBeat = static_cast<std::uint8_t>(protocol::Type::beat);
constexpr auto kFailure = static_cast<std::uint8_t>(protocol::Type::failure);

// Empty frames take room, too.
std::size_t room_of(const protocol::Frame& frame) {
  return frame.payload.size() + sizeof frame;
}

}  // namespace

Wire::Wire(transport::Process process, std::string where, std::chrono::seconds idle_deadline,
           base::CancelToken cancel)
    : process_(std::move(process)),
      where_(std::move(where)),
      idle_(idle_deadline),
      cancel_(std::move(cancel)),
      outlet_(process_.stream.get()),
      patience_(idle_deadline, steady_clock::now()),
      last_out_(steady_clock::now()) {
  base::set_nonblocking(process_.stream.get());
}

Wire::~Wire() {
  if (pulsing_) Pulse::shared().remove(*this);
}

void Wire::start_pulse() {
  Pulse::shared().add(*this, std::max<std::chrono::milliseconds>(idle_ / 8, 50ms));
  pulsing_ = true;
}

Wire::Use::Use(Wire& wire, std::string_view step)
    : wire_(wire), step_(step), lock_(wire.busy_), before_(wire.traffic()) {
  wire.check_open();
  wire.patience_.restart(steady_clock::now());
}

Wire::Use::~Use() {
  const std::size_t channels = wire_.outlet_.channels();
  wire_.narrow();
  count(channels);
}

void Wire::Use::count(std::size_t channels) const {
  const std::lock_guard lock(wire_.traffic_mutex_);
  std::vector<StepCount>& steps = wire_.steps_;
  auto known = std::find_if(steps.begin(), steps.end(), [&](const auto& one) { return one.name == step_; });
  if (known == steps.end()) known = steps.insert(known, {std::string(step_), {}, {}, 1, 0});
  const TrafficCount& now = wire_.traffic_;
  known->time += steady_clock::now() - began_;
  known->channels = std::max(known->channels, channels);
  known->resumed += resumed_;
  known->traffic.bytes_in += now.bytes_in - before_.bytes_in;
  known->traffic.bytes_out += now.bytes_out - before_.bytes_out;
  known->traffic.frames_in += now.frames_in - before_.frames_in;
  known->traffic.frames_out += now.frames_out - before_.frames_out;
  known->traffic.exchanges += now.exchanges - before_.exchanges;
}

std::vector<StepCount> Wire::steps() const {
  const std::lock_guard lock(traffic_mutex_);
  return steps_;
}

void Wire::check_open() const {
  if (dead_) throw Error(*dead_);
  if (!process_.stream) throw Error(Code::unreachable, where_ + ": the connection is closed");
}

bool Wire::find_magic(base::Deadline deadline) {
  return guard([&] {
    while (!greeted_) {
      if (deadline.passed())
        throw Error(Code::timeout, fmt::format("{}: no greeting within the time allowed", where_));
      if (!wait(deadline)) return false;
    }
    patience_.restart(steady_clock::now());
    return true;
  });
}

transport::ExitStatus Wire::end_of_process() const {
  return process_.wait(base::Deadline::in(5s), cancel_);
}

// After these the two ends no longer know what the other one does. Errors that arrive from the agent as an
// answer do not come through here.
bool Wire::ends_wire(const Error& error) {
  return error.code() == Code::unreachable || error.code() == Code::protocol ||
         error.code() == Code::timeout || error.code() == Code::agent || error.code() == Code::io;
}

void Wire::die(const Error& why) {
  if (dead_) return;
  dead_.emplace(Code::unreachable,
                fmt::format("{}: the connection has ended earlier: {}", where_, why.message()));
  outlet_.close();
  process_.stream.reset();
}

bool Wire::wait(base::Deadline deadline) {
  const short in = has_room() ? POLLIN : 0;
  std::vector<pollfd> fds = {pollfd{process_.stream.get(), static_cast<short>(in | outlet_.wanted()), 0},
                             pollfd{cancel_.descriptor(), POLLIN, 0}};
  outlet_.add_wanted(fds);
  if (::poll(fds.data(), fds.size(), deadline.poll_timeout()) < 0 && errno != EINTR)
    base::throw_errno("poll");
  cancel_.check();
  outlet_.heard(std::span(fds).subspan(2));
  if (outlet_.waiting() > 0 && !drain()) return false;
  if (outlet_.broken() != nullptr) throw_broken(*outlet_.broken());
  return (fds[0].revents & (POLLIN | POLLHUP | POLLERR)) == 0 || fill();
}

template <class Enough>
void Wire::pump(Enough enough) {
  guard([&] {
    while (!enough()) {
      beat_when_due();
      if (!wait(base::Deadline::in(std::max<std::chrono::milliseconds>(idle_ / 8, 10ms)))) throw_ended();
      if (!enough() && patience_.over(steady_clock::now()))
        throw Error(Code::timeout,
                    fmt::format("{}: the agent said nothing for {} s", where_,
                                std::chrono::duration_cast<std::chrono::seconds>(idle_).count()));
    }
  });
}

bool Wire::drain() {
  const std::uint64_t before = outlet_.sent();
  const bool open = outlet_.drain();
  if (const std::uint64_t put = outlet_.sent() - before; put > 0) {
    last_out_ = steady_clock::now();
    const std::lock_guard lock(traffic_mutex_);
    traffic_.bytes_out += put;
  }
  // A reader that went away: what it said before that is still to be read, and says why.
  return open || fill();
}

bool Wire::fill() {
  std::array<std::byte, kReadSize> buffer;
  const ssize_t got = ::recv(process_.stream.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) return false;
  const std::string_view bytes(reinterpret_cast<const char*>(buffer.data()), static_cast<std::size_t>(got));
  if (greeted_) {
    take_in(bytes);
  } else {
    greeted_ = finder_.feed(bytes);
    if (greeted_) take_in(finder_.rest());
  }
  return true;
}

void Wire::take_in(std::string_view bytes) {
  {
    const std::lock_guard lock(traffic_mutex_);
    traffic_.bytes_in += bytes.size();
  }
  reader_.feed(bytes);
  if (take_frames())
    patience_.restart(steady_clock::now());
  else
    patience_.heard_part(bytes.size(), steady_clock::now());
}

bool Wire::take_frames() {
  bool any = false;
  // A few packed bytes may hold very much: what there is no room for stays packed.
  while (has_room()) {
    auto frame = reader_.next();
    if (!frame) break;
    any = true;
    if (frame->type == kBeat) continue;
    inbox_bytes_ += room_of(*frame);
    const std::lock_guard lock(traffic_mutex_);
    ++traffic_.frames_in;
    inbox_.push_back(std::move(*frame));
  }
  return any;
}

// The agent's last words (a failure frame) count more than the bare end.
void Wire::throw_ended() {
  for (const protocol::Frame& frame : inbox_)
    if (frame.type == kFailure) throw protocol::to_error(protocol::decode<protocol::Failure>(frame.payload));
  const transport::ExitStatus status = end_of_process();
  const std::string said = errors();
  throw Error(Code::unreachable,
              fmt::format("{}: the agent ended in the middle of the conversation ({}){}", where_,
                          status.describe(), said.empty() ? "" : "; it said: " + said));
}

bool Wire::is_asked_already(const std::string& frame) {
  if (!ahead_) return false;
  const Ahead ahead = *std::exchange(ahead_, std::nullopt);
  asked_ = true;
  if (ahead.frame == frame) return true;
  drop_answers(ahead.answers);
  check_open();
  return false;
}

void Wire::drop_answers(std::size_t count) {
  try {
    for (; count > 0; --count)
      receive();
  } catch (const Error&) {
    // A failure stands for all that would have come; a dead wire says so to the next user.
  }
}

void Wire::start_packing() {
  packer_.emplace(protocol::Packer::Stream::continued);
}

// What is small travels as it is, and says nothing about the line.
std::string Wire::pack(std::string frame) {
  if (!packer_ || frame.size() < kWorthPacking) return frame;
  push_out();
  const auto began = steady_clock::now();
  const std::chrono::duration<double> since_last = began - std::exchange(pack_began_, began);
  const double work = std::exchange(pack_time_, {}) / since_last;
  const std::optional<int> level =
      level_.next({outlet_.waiting(), work, process_.line_state(), outlet_.channels() > 1});
  if (!level) return frame;
  std::string packed = packer_->pack(std::move(frame), *level);
  pack_time_ = steady_clock::now() - began;
  return packed;
}

void Wire::send_frame(std::string frame) {
  check_open();
  if (is_asked_already(frame)) return;
  outlet_.add(pack(std::move(frame)));
  asked_ = true;
  {
    const std::lock_guard lock(traffic_mutex_);
    ++traffic_.frames_out;
  }
  // Small frames wait for their answer's receive(), so that a pipelined row of them leaves as one.
  if (outlet_.waiting() < kOutRoom / 4) return;
  push_out();
  pump([&] { return outlet_.waiting() < kOutRoom; });
}

void Wire::push_out() {
  guard([&] {
    if (!drain()) throw_ended();
  });
}

bool Wire::has_room() const {
  return inbox_bytes_ < kInboxRoom;
}

bool Wire::has_frame() {
  if (inbox_.empty()) guard([&] { take_frames(); });
  return !inbox_.empty();
}

std::optional<protocol::Frame> Wire::take() {
  if (!has_frame()) return std::nullopt;
  protocol::Frame frame = std::move(inbox_.front());
  inbox_.pop_front();
  inbox_bytes_ -= room_of(frame);
  if (frame.type == kFailure)
    throw protocol::to_error(guard([&] { return protocol::decode<protocol::Failure>(frame.payload); }));
  return frame;
}

protocol::Frame Wire::receive() {
  check_open();
  if (inbox_.empty() && asked_) {
    const std::lock_guard lock(traffic_mutex_);
    ++traffic_.exchanges;
  }
  if (asked_ && packer_) packer_->end();
  asked_ = false;
  push_out();
  pump([&] { return has_frame(); });
  return *take();
}

std::optional<protocol::Frame> Wire::receive_now() {
  check_open();
  guard([&] {
    if (!drain() || (has_room() && !fill())) throw_ended();
  });
  return take();
}

void Wire::beat_when_due() {
  if (!pulsing_ || outlet_.waiting() > 0 || steady_clock::now() - last_out_ < idle_ / 4) return;
  outlet_.add(protocol::to_frame(protocol::Beat{}));
  last_out_ = steady_clock::now();
}

void Wire::beat_if_quiet() noexcept {
  const std::unique_lock lock(busy_, std::try_to_lock);
  if (!lock.owns_lock() || dead_ || !process_.stream) return;
  try {
    beat_when_due();
    // The end of the stream is left for the next user to find, who can wait for the reason.
    if (drain() && has_room()) (void)fill();
  } catch (const Error& error) {
    die(error);
  } catch (const std::exception&) {
    return;
  }
}

TrafficCount Wire::traffic() const {
  const std::lock_guard lock(traffic_mutex_);
  return traffic_;
}

void Wire::close() {
  if (pulsing_) Pulse::shared().remove(*this);
  pulsing_ = false;
  const std::lock_guard lock(busy_);
  if (!process_.stream) return;
  try {
    const auto deadline = base::Deadline::in(1s);
    bool open = drain();
    while (open && outlet_.waiting() > 0 && !deadline.passed())
      open = wait(deadline);
    ::shutdown(process_.stream.get(), SHUT_WR);
    (void)process_.wait(base::Deadline::in(5s), cancel_);
  } catch (const std::exception&) {
    // Closing is closing.
  }
  outlet_.close();
  process_.stream.reset();
}

}  // namespace porter::endpoint
