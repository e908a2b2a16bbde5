#include "core/transport/ssh_link.h"

#include <fmt/format.h>
#include <libssh/server.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "core/base/text.h"
#include "core/transport/latch.h"

namespace porter::transport {

struct SshLink::Operation {
  Step step;
  int again = 0;
  int answer = 0;
  Latch done;
};

// Held by a Process: gives its stream up when it goes.
struct SshLink::Keeper {
  std::weak_ptr<SshLink> link;
  int id = 0;
  Keeper(std::weak_ptr<SshLink> link_in, int id_in) : link(std::move(link_in)), id(id_in) {}
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;
  ~Keeper() {
    const std::shared_ptr<SshLink> held = link.lock();
    if (!held) return;
    held->loop_->post([link = link, id = id] {
      if (const auto still = link.lock()) still->streams_.erase(id);
    });
  }
};

SshLink::SshLink(std::shared_ptr<IoLoop> loop, SessionPtr session, base::UniqueFd socket, std::string where,
                 LinkTimes times, std::shared_ptr<SshLink> via, Process way)
    : loop_(std::move(loop)),
      session_(std::move(session)),
      fd_(socket.get()),
      where_(std::move(where)),
      times_(times),
      via_(std::move(via)),
      line_(std::make_shared<SshLine>(via_ ? -1 : fd_, via_ ? via_->line_ : nullptr)),
      way_(std::move(way)) {
  if (::ssh_options_set(session_.get(), SSH_OPTIONS_FD, &fd_) != SSH_OK)
    throw ssh_error(session_.get(), where_, SshStep::connecting);
  socket.release();
  ::ssh_set_counters(session_.get(), &counter_, nullptr);
  loop_->pinned(1);
}

SshLink::~SshLink() {
  close();
  loop_->pinned(-1);
}

void SshLink::close() {
  if (closed_.exchange(true)) return;
  loop_->run([this] { shut_down(); });
  if (via_) via_->close();
}

void SshLink::shut_down() {
  if (!broken_)
    break_off(base::Error(base::Code::unreachable, fmt::format("{}: the connection was closed", where_)));
  streams_.clear();
  if (event_ != nullptr) ::ssh_event_free(event_);
  event_ = nullptr;
  line_->end();
  if (::ssh_is_connected(session_.get()) != 0) ::ssh_disconnect(session_.get());
  session_.reset();
}

std::optional<base::Error> SshLink::failure_on_the_way() const {
  if (!way_.ending || !way_.ending->done()) return std::nullopt;
  try {
    way_.wait(base::Deadline::in(std::chrono::milliseconds(0)));
  } catch (const base::Error& error) {
    return error;
  }
  return std::nullopt;
}

int SshLink::drive(const Step& step, int again, base::Deadline deadline, const base::CancelToken& cancel) {
  auto operation = std::make_shared<Operation>();
  operation->step = step;
  operation->again = again;
  loop_->post([this, operation] {
    operation_ = operation;
    this->step();
  });
  try {
    operation->done.wait(deadline, cancel);
  } catch (...) {
    loop_->run([this] {
      operation_.reset();
      loop_->forget(fd_);
    });
    throw;
  }
  return operation->answer;
}

int SshLink::drive_timed(const Step& step, int again, base::Deadline deadline,
                         const base::CancelToken& cancel) {
  const auto began = std::chrono::steady_clock::now();
  return drive(
      [&](ssh_session session) {
        const int answer = step(session);
        if (answer != again) line_->answered_in(std::chrono::steady_clock::now() - began);
        return answer;
      },
      again, deadline, cancel);
}

int SshLink::drive_here(const Step& step, int again, base::Deadline deadline,
                        const base::CancelToken& cancel) {
  for (;;) {
    const int answer = step(session_.get());
    if (answer != again) return answer;
    base::wait_readable(fd_, deadline, cancel);
  }
}

void SshLink::ready(std::uint32_t) {
  if (operation_) {
    step();
  } else {
    turn();
  }
}

// One call of the operation that is being driven; afterwards the link is at rest or waits for its descriptor.
void SshLink::step() {
  quicken();
  const int answer = operation_->step(session_.get());
  if (answer == operation_->again) return update_interest();
  loop_->forget(fd_);
  operation_->answer = answer;
  operation_->done.open();
  operation_.reset();
}

void SshLink::serve() {
  loop_->run([this] {
    event_ = ::ssh_event_new();
    if (event_ == nullptr || ::ssh_event_add_session(event_, session_.get()) != SSH_OK) {
      throw ssh_error(session_.get(), where_, SshStep::running);
    }
    serving_ = true;
    last_heard_ = std::chrono::steady_clock::now();
    due();
    turn();
  });
}

Process SshLink::start(StreamRequest request) {
  base::FdPair pair = base::make_socket_pair();
  const int id = next_id_++;
  Process process;
  process.errors = std::make_shared<ErrorText>();
  process.ending = std::make_shared<Ending>();
  process.line = line_;
  process.keeper = std::make_shared<Keeper>(weak_from_this(), id);
  process.stream = std::move(pair.first);
  auto local = std::make_shared<base::UniqueFd>(std::move(pair.second));
  loop_->post([link = weak_from_this(), id, request = std::move(request), local, errors = process.errors,
               ending = process.ending] {
    if (const auto held = link.lock()) held->adopt(id, request, std::move(*local), errors, ending);
  });
  return process;
}

void SshLink::adopt(int id, StreamRequest request, base::UniqueFd local,
                    const std::shared_ptr<ErrorText>& errors, const std::shared_ptr<Ending>& ending) {
  if (broken_) return ending->fail(*broken_);
  try {
    streams_.emplace(
        id, std::make_unique<SshStream>(*loop_, session_.get(), where_, std::move(request), std::move(local),
                                        errors, ending, *line_, program_ended_, [this] { turn(); }));
  } catch (const base::Error& error) {
    return ending->fail(error);
  }
  turn();
}

// Acknowledge at once: with delayed acknowledgements opening a channel takes 40 ms longer. The kernel forgets
// the wish, so it is repeated at each turn. Does nothing to the socket pair of a jump.
void SshLink::quicken() const {
  const int one = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
}

// Takes in and sends what it can. False when the connection is gone.
bool SshLink::pump() {
  const int answer = ::ssh_event_dopoll(event_, 0);
  return answer != SSH_ERROR && is_alive(session_.get());
}

// True when some stream stopped only to be fair.
bool SshLink::advance_streams() {
  bool more = false;
  for (auto each = streams_.begin(); each != streams_.end();) {
    const SshStream::Progress progress = each->second->advance();
    more = more || progress == SshStream::Progress::more;
    each = progress == SshStream::Progress::done ? streams_.erase(each) : std::next(each);
  }
  return more;
}

// A call for one stream may take in packets for another, whose descriptor then stays silent: so all are
// looked after, and again as long as something came in.
void SshLink::turn() {
  if (!serving_ || broken_ || in_turn_) return;
  in_turn_ = true;
  quicken();
  bool more = true;
  bool alive = true;
  for (int round = 0; alive && more && round < 4; ++round) {
    const std::uint64_t before = counter_.in_bytes;
    alive = pump();
    const bool unfair = advance_streams();
    more = unfair || counter_.in_bytes != before;
  }
  in_turn_ = false;
  bytes_in_ = counter_.in_bytes;
  bytes_out_ = counter_.out_bytes;
  alive = alive && is_alive(session_.get());
  if (!alive) return break_off(ssh_error(session_.get(), where_, SshStep::running));
  update_interest();
  if (more) turn_soon();
}

void SshLink::turn_soon() {
  if (std::exchange(turn_posted_, true)) return;
  loop_->post([link = weak_from_this()] {
    const auto held = link.lock();
    if (!held) return;
    held->turn_posted_ = false;
    held->turn();
  });
}

void SshLink::update_interest() {
  const bool pending = (::ssh_get_poll_flags(session_.get()) & SSH_WRITE_PENDING) != 0;
  loop_->watch(fd_, EPOLLIN | (pending ? static_cast<std::uint32_t>(EPOLLOUT) : 0U), *this);
}

// Silence makes us ask; long silence is the end. The request is sent when none is open, else its answer is
// collected: so twice, to have one under way in any case.
void SshLink::due() {
  if (broken_) return;
  const auto now = std::chrono::steady_clock::now();
  if (std::exchange(heard_bytes_, counter_.in_bytes) != counter_.in_bytes) last_heard_ = now;
  const auto silence = now - last_heard_;
  if (silence >= times_.idle) {
    const double seconds = std::chrono::duration<double>(times_.idle).count();
    return break_off(base::Error(base::Code::unreachable, fmt::format("{}: no sign of life for {}", where_,
                                                                      base::format_seconds(seconds))));
  }
  if (silence >= times_.keepalive) {
    ::ssh_send_keepalive(session_.get());
    ::ssh_send_keepalive(session_.get());
    turn();
    if (broken_) return;
  }
  loop_->wake_at(std::min(now + times_.keepalive,
                          std::max(last_heard_ + times_.idle, now + std::chrono::milliseconds(1))),
                 *this);
}

void SshLink::break_off(const base::Error& error) {
  broken_ = error;
  loop_->forget(fd_);
  loop_->forget_clock(*this);
  for (const auto& [id, stream] : streams_)
    stream->fail(error);
  streams_.clear();
}

}  // namespace porter::transport
