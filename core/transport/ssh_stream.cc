#include "core/transport/ssh_stream.h"

#include <fmt/format.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/base/text.h"

namespace porter::transport {
namespace {

// Each write is at least one packet and one flush: many small ones cost seven times as much as 32 KiB at a
// time.
constexpr std::size_t largest_write = 128U << 10U;
// What one stream may move before the others on the loop have their turn.
constexpr std::size_t fair_share = 1U << 20U;
// So long after a program ended sshd may still count it.
constexpr auto counted_for = std::chrono::seconds(5);
constexpr auto longest_pause = std::chrono::milliseconds(250);
// What is under way is counted until the far end says it is used up, which OpenSSH does every 96 KiB.
constexpr std::size_t not_yet_told = 256U << 10U;
constexpr std::size_t fastest = 512;  // bytes a microsecond: about what one connection reaches, encrypted

// That keeps such a line busy.
std::size_t enough_under_way(std::chrono::microseconds round_trip) {
  if (round_trip.count() == 0) return SIZE_MAX;  // not known
  return not_yet_told + fastest * static_cast<std::size_t>(round_trip.count());
}

// "KILL" to 9, as this system counts; -1 for a name it does not know.
int signal_number(std::string_view name) {
  for (int number = 1; number < NSIG; ++number) {
    const char* known = ::sigabbrev_np(number);
    if (known != nullptr && name == known) return number;
  }
  return -1;
}

}  // namespace

SshStream::SshStream(IoLoop& loop, ssh_session session, std::string where, StreamRequest request,
                     base::UniqueFd local, std::shared_ptr<ErrorText> errors, std::shared_ptr<Ending> ending,
                     SshLine& line, IoLoop::Moment& program_ended, std::function<void()> turn)
    : loop_(loop),
      session_(session),
      where_(std::move(where)),
      request_(std::move(request)),
      local_(std::move(local)),
      errors_(std::move(errors)),
      ending_(std::move(ending)),
      line_(line),
      program_ended_(program_ended),
      turn_(std::move(turn)) {
  base::set_nonblocking(local_.get());
  callbacks_.userdata = this;
  callbacks_.channel_exit_status_function = on_exit_status;
  callbacks_.channel_exit_signal_function = on_exit_signal;
  callbacks_.channel_close_function = on_close;
  ssh_callbacks_init(&callbacks_);
  if (!new_channel()) throw base::Error(base::Code::unreachable, fmt::format("{}: no new channel", where_));
}

SshStream::~SshStream() {
  ending_->fail(base::Error(base::Code::remote, fmt::format("{}: given up before it ended", where_)));
  loop_.forget(local_.get());
  loop_.forget_clock(*this);
  const bool opened = state_ == State::requesting || state_ == State::running;
  if (opened && !request_.command.empty()) program_ended_ = std::chrono::steady_clock::now();
  drop_channel();
}

// False when the connection is gone.
bool SshStream::new_channel() {
  channel_ = ::ssh_channel_new(session_);
  if (channel_ == nullptr) return false;
  ::ssh_set_channel_callbacks(channel_, &callbacks_);
  whole_window_ = 0;
  began_ = std::chrono::steady_clock::now();
  state_ = State::opening;
  return true;
}

void SshStream::drop_channel() {
  if (channel_ == nullptr) return;
  ::ssh_remove_channel_callbacks(channel_, &callbacks_);
  if (::ssh_channel_is_open(channel_) != 0) ::ssh_channel_close(channel_);
  ::ssh_channel_free(channel_);
  channel_ = nullptr;
}

void SshStream::on_exit_status(ssh_session, ssh_channel, int status, void* self) {
  static_cast<SshStream*>(self)->exit_ = ExitStatus{status, 0};
}

void SshStream::on_exit_signal(ssh_session, ssh_channel, const char* name, int, const char*, const char*,
                               void* self) {
  static_cast<SshStream*>(self)->exit_ = ExitStatus{-1, signal_number(name != nullptr ? name : "")};
}

void SshStream::on_close(ssh_session, ssh_channel, void* self) {
  static_cast<SshStream*>(self)->remote_closed_ = true;
}

void SshStream::ready(std::uint32_t epoll_events) {
  if ((epoll_events & (EPOLLHUP | EPOLLERR)) != 0) {
    hung_up_ = true;  // reported for ever: from here on the connection's turns do the rest
    loop_.forget(local_.get());
  }
  const std::function<void()> turn = turn_;  // which may be the end of this object
  turn();
}

void SshStream::due() {
  if (!new_channel()) refuse("no new channel", base::Code::unreachable);
  const std::function<void()> turn = turn_;  // which may be the end of this object
  turn();
}

SshStream::Progress SshStream::advance() {
  if (state_ == State::opening) open();
  if (state_ == State::requesting) request();
  if (refused_) return Progress::done;
  if (state_ == State::waiting || state_ == State::opening) return Progress::idle;
  // Also while the request is under way: the far end takes things in order, so the first bytes may follow at
  // once.
  const bool pushed = push();
  const bool pulled = pull();
  const Progress progress = finish();
  if (progress == Progress::done) return progress;
  update_interest();
  return pushed || pulled ? Progress::more : Progress::idle;
}

void SshStream::open() {
  const int answer = request_.command.empty() ? ::ssh_channel_open_forward(channel_, request_.host.c_str(),
                                                                           request_.port, "127.0.0.1", 0)
                                              : ::ssh_channel_open_session(channel_);
  if (answer == SSH_AGAIN) return;
  if (answer != SSH_OK && try_later()) return;
  if (answer != SSH_OK) {
    const std::string what = request_.command.empty()
                                 ? fmt::format("cannot reach {}:{} from there", request_.host, request_.port)
                                 : "no new session";
    return refuse(what, base::Code::unreachable);
  }
  const bool program = !request_.command.empty();
  if (program) line_.answered_in(std::chrono::steady_clock::now() - began_);
  state_ = program ? State::requesting : State::running;
}

// True for a program that was refused and may be had when sshd has seen the end of an earlier one.
bool SshStream::try_later() {
  const auto next = std::chrono::steady_clock::now() + pause_;
  const bool refused = ::ssh_get_error_code(session_) == SSH_REQUEST_DENIED;
  if (request_.command.empty() || !refused || next >= program_ended_ + counted_for) return false;
  drop_channel();
  state_ = State::waiting;
  pause_ = std::min(pause_ * 2, longest_pause);
  loop_.wake_at(next, *this);
  return true;
}

void SshStream::request() {
  const int answer = ::ssh_channel_request_exec(channel_, request_.command.c_str());
  if (answer == SSH_AGAIN) return;
  if (answer != SSH_OK) return refuse("no program can be started", base::Code::remote);
  state_ = State::running;
}

void SshStream::refuse(std::string_view what, base::Code code) {
  refused_ = true;
  ending_->fail(
      base::Error(code, fmt::format("{}: {}: {}", where_, what, base::printable(::ssh_get_error(session_)))));
}

// No more is under way than keeps the line busy, though the window may take more: sshd copies all that waits
// there for the program each time it gets a packet (sshbuf grows to what is needed and no further), which is
// dearer than all else it does.
std::size_t SshStream::room() {
  const std::size_t window = ::ssh_channel_window_size(channel_);
  whole_window_ = std::max(whole_window_, window);
  const std::size_t under_way = whole_window_ - window;
  const std::size_t most = enough_under_way(line_.round_trip());
  return under_way < most ? std::min(window, most - under_way) : 0;
}

bool SshStream::writable() {
  return room() > 0 && (::ssh_get_poll_flags(session_) & SSH_WRITE_PENDING) == 0;
}

// How much of it the channel took.
std::size_t SshStream::write(std::string_view bytes) {
  const int put = ::ssh_channel_write(channel_, bytes.data(), static_cast<std::uint32_t>(bytes.size()));
  return put > 0 ? static_cast<std::size_t>(put) : 0;
}

// Socket to channel. True when it stopped only to be fair.
bool SshStream::push() {
  std::size_t moved = 0;
  while (!eof_sent_ && !remote_closed_ && moved < fair_share) {
    if (to_remote_.empty() && local_eof_) {
      ::ssh_channel_send_eof(channel_);
      eof_sent_ = true;
      return false;
    }
    if (!writable()) return false;
    if (to_remote_.empty()) {
      const std::size_t most = std::min<std::size_t>(largest_write, room());
      const ssize_t got = ::recv(local_.get(), loop_.scratch().data(), most, MSG_DONTWAIT);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
      local_eof_ = got <= 0;
      if (local_eof_) continue;
      const std::string_view bytes(loop_.scratch().data(), static_cast<std::size_t>(got));
      const std::size_t put = write(bytes);
      moved += put;
      to_remote_ = bytes.substr(put);
    } else {
      const std::size_t put = write(to_remote_);
      moved += put;
      to_remote_.erase(0, put);
    }
    if (!to_remote_.empty()) return false;  // new keys are being exchanged, or the connection is gone
  }
  return moved >= fair_share;
}

// How much of it the socket took; all of it when nobody reads any more.
std::size_t SshStream::deliver(std::string_view bytes) {
  std::size_t done = 0;
  while (!deaf_ && done < bytes.size()) {
    const ssize_t put =
        ::send(local_.get(), bytes.data() + done, bytes.size() - done, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return done;
    deaf_ = put < 0;
    if (put > 0) done += static_cast<std::size_t>(put);
  }
  return bytes.size();
}

// Channel to socket. True when it stopped only to be fair.
bool SshStream::pull() {
  pull_errors();
  to_local_.erase(0, deliver(to_local_));
  std::size_t moved = 0;
  while (to_local_.empty() && !remote_eof_) {
    if (moved >= fair_share) return true;
    std::vector<char>& scratch = loop_.scratch();
    const int got = ::ssh_channel_read_nonblocking(channel_, scratch.data(),
                                                   static_cast<std::uint32_t>(scratch.size()), 0);
    remote_eof_ = got == SSH_EOF;
    if (got <= 0) break;  // also SSH_ERROR and SSH_AGAIN: the connection's turn will tell
    const std::string_view bytes(scratch.data(), static_cast<std::size_t>(got));
    to_local_ = bytes.substr(deliver(bytes));
    moved += bytes.size();
  }
  if (remote_eof_ && to_local_.empty() && !output_shut_) {
    ::shutdown(local_.get(), SHUT_WR);
    output_shut_ = true;
  }
  return false;
}

void SshStream::pull_errors() {
  for (;;) {
    std::vector<char>& scratch = loop_.scratch();
    const int got = ::ssh_channel_read_nonblocking(channel_, scratch.data(),
                                                   static_cast<std::uint32_t>(scratch.size()), 1);
    if (got <= 0) return;
    errors_->add({scratch.data(), static_cast<std::size_t>(got)});
  }
}

SshStream::Progress SshStream::finish() {
  if (remote_closed_ && output_shut_) {
    pull_errors();
    if (exit_ || request_.command.empty()) ending_->finish(exit_.value_or(ExitStatus{}));
    ending_->fail(
        base::Error(base::Code::unreachable, fmt::format("{}: it ended without telling how", where_)));
    return Progress::done;
  }
  // Our end was closed altogether: nobody waits for output any more.
  const bool given_up = hung_up_ && !output_shut_ && eof_sent_;
  return given_up ? Progress::done : Progress::idle;
}

void SshStream::update_interest() {
  if (hung_up_) return;
  std::uint32_t events = 0;
  if (!local_eof_ && to_remote_.empty() && writable()) events |= EPOLLIN;
  if (!to_local_.empty()) events |= EPOLLOUT;
  loop_.watch(local_.get(), events, *this);
}

}  // namespace porter::transport
