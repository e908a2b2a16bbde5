#include "core/endpoint/outlet.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/base/fd.h"
#include "core/protocol/stripes.h"

namespace porter::endpoint {
namespace {

// With its header what the transport takes at a time. Larger ones make others wait longer, smaller ones cost
// more packets.
constexpr std::size_t kStripe = (128U << 10U) - protocol::kStripeHeader;
constexpr std::size_t kPiece = 64U << 10U;  // what is smaller together leaves together

}  // namespace

void Backlog::add(std::string bytes) {
  if (bytes.empty()) return;
  size_ += bytes.size();
  if (!pieces_.empty() && pieces_.back().size() + bytes.size() <= kPiece)
    pieces_.back() += bytes;
  else
    pieces_.push_back(std::move(bytes));
}

std::string_view Backlog::ready() const {
  return pieces_.empty() ? std::string_view() : std::string_view(pieces_.front()).substr(start_);
}

void Backlog::drop(std::size_t count) {
  size_ -= count;
  while (count > 0) {
    const std::size_t here = std::min(count, ready().size());
    start_ += here;
    count -= here;
    if (!ready().empty()) continue;
    pieces_.pop_front();
    start_ = 0;
  }
}

std::size_t Outlet::waiting() const {
  std::size_t bytes = queue_.size() + first_.bytes.size();
  for (const Channel& each : others_)
    bytes += each.bytes.size();
  return bytes;
}

// The next stripe is this channel's. False when there is none.
bool Outlet::cut(Channel& channel) {
  std::size_t left = std::min(queue_.size(), kStripe);
  if (left == 0) return false;
  channel.bytes.add(protocol::stripe_header(left, next_++));
  while (left > 0)
    left -= hand_over(channel, left);
  ++channel.stripes;
  return true;
}

// At most so many bytes of the queue become the channel's; gives how many.
std::size_t Outlet::hand_over(Channel& channel, std::size_t most) {
  const std::string_view bytes = queue_.ready().substr(0, most);
  const std::size_t count = bytes.size();
  channel.bytes.add(std::string(bytes));
  queue_.drop(count);
  return count;
}

// True when something went.
bool Outlet::push(Channel& channel, Backlog& bytes) {
  const std::uint64_t before = sent_;
  while (bytes.size() > 0) {
    const std::string_view piece = bytes.ready();
    const ssize_t put = ::send(channel.fd, piece.data(), piece.size(), MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno != EAGAIN) lose(channel);
    if (put < 0) break;
    bytes.drop(static_cast<std::size_t>(put));
    sent_ += static_cast<std::uint64_t>(put);
  }
  return sent_ > before;
}

bool Outlet::drain() {
  if (in_stripes_) {
    while (!gone_ && deal_out()) {
    }
    return !gone_;
  }
  push(first_, first_.bytes);
  if (first_.bytes.size() == 0) push(first_, queue_);
  for (Channel& each : others_)
    if (each.state == State::leaving) leave(each);
  return !gone_;
}

// Its end comes behind its last stripe.
void Outlet::leave(Channel& channel) {
  push(channel, channel.bytes);
  if (channel.bytes.size() > 0 || channel.state == State::over) return;
  ::shutdown(channel.fd, SHUT_WR);
  channel.state = State::over;
}

bool Outlet::has_work(const Channel& channel) const {
  if (channel.state != State::open && channel.state != State::leaving) return false;
  return channel.bytes.size() > 0 || (channel.state == State::open && queue_.size() > 0);
}

// Those that take bytes now, since their windows are open.
std::vector<Outlet::Channel*> Outlet::ready() {
  std::vector<Channel*> channels{&first_};
  for (Channel& each : others_)
    channels.push_back(&each);
  std::erase_if(channels, [this](const Channel* each) { return !has_work(*each); });
  std::vector<pollfd> list;
  list.reserve(channels.size());
  for (const Channel* each : channels)
    list.push_back({each->fd, POLLOUT, 0});
  if (::poll(list.data(), list.size(), 0) <= 0) return {};
  std::vector<Channel*> found;
  for (std::size_t i = 0; i < list.size(); ++i)
    if ((list[i].revents & (POLLOUT | POLLERR)) != 0) found.push_back(channels[i]);
  return found;
}

// A stripe for each channel that has room, and none for one that would let it wait. True when something went.
bool Outlet::deal_out() {
  bool any = false;
  for (Channel* channel : ready()) {
    if (channel->bytes.size() == 0) cut(*channel);
    any = push(*channel, channel->bytes) || any;
  }
  return any;
}

void Outlet::begin_stripes(std::vector<transport::Process> more) {
  while (hand_over(first_, queue_.size()) > 0) {
  }
  // Those of an earlier time that have not ended yet may still have something to deliver.
  others_.remove_if([](const Channel& each) { return each.process.ending->done(); });
  for (Channel& each : others_)
    each.stripes = 0;
  in_stripes_ = true;
  next_ = 0;
  for (transport::Process& process : more) {
    Channel& channel = others_.emplace_back();
    base::set_nonblocking(process.stream.get());
    channel.fd = process.stream.get();
    channel.state = State::opening;
    channel.process = std::move(process);
  }
}

void Outlet::end_stripes() {
  if (!in_stripes_) return;
  while (cut(first_)) {
  }
  first_.bytes.add(protocol::stripe_header(0, next_));
  in_stripes_ = false;
  for (Channel& each : others_)
    if (each.state != State::over) each.state = State::leaving;
}

std::size_t Outlet::channels() const {
  if (!in_stripes_) return 1;
  return 1 + static_cast<std::size_t>(std::count_if(others_.begin(), others_.end(),
                                                    [](const Channel& each) { return each.stripes > 0; }));
}

short Outlet::wanted() const {
  return has_work(first_) ? POLLOUT : 0;
}

void Outlet::add_wanted(std::vector<pollfd>& list) const {
  for (const Channel& each : others_) {
    const bool listens = each.state == State::opening || each.state == State::open;
    const int events = (listens ? POLLIN : 0) | (has_work(each) ? POLLOUT : 0);
    list.push_back({events != 0 ? each.fd : -1, static_cast<short>(events), 0});
  }
}

void Outlet::heard(std::span<const pollfd> list) {
  auto one = list.begin();
  for (Channel& each : others_)
    if (((one++)->revents & (POLLIN | POLLHUP | POLLERR)) != 0) hear(each);
}

// Nothing is said there but the one word; its end is another matter.
void Outlet::hear(Channel& channel) {
  if (channel.state != State::opening && channel.state != State::open) return;
  std::array<char, 4096> buffer;
  const ssize_t got = ::recv(channel.fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  const bool opens = channel.state == State::opening;
  try {
    const std::string_view said(buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    if (got > 0 && opens && channel.joined.feed(said)) channel.state = State::open;
    if (got > 0) return;
  } catch (const base::Error&) {
    // Too much that is not the word.
  }
  lose(channel);
}

void Outlet::lose(Channel& channel) {
  if (&channel == &first_) {
    gone_ = true;
    return;
  }
  if (channel.state == State::open) broken_ = &channel.process;
  channel.state = State::over;
  channel.bytes.drop(channel.bytes.size());
}

void Outlet::close() {
  others_.clear();
  in_stripes_ = false;
  broken_ = nullptr;
  first_ = {};
}

}  // namespace porter::endpoint
