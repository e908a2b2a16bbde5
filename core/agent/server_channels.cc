#include "core/agent/server_channels.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

#include "core/base/error.h"

namespace porter::agent {
namespace {

constexpr std::size_t kReadSize = 256U << 10U;
constexpr short kAnything = POLLIN | POLLHUP | POLLERR;

bool has_come(const pollfd& one) {
  return (one.revents & kAnything) != 0;
}

}  // namespace

Channels::Channels(int first) : first_(first), buffer_(kReadSize) {
  // What is in a pipe need not wait in sshd, which is woken less often, too. No pipe is none the worse for
  // it.
  ::fcntl(first_, F_SETPIPE_SZ, static_cast<int>(kReadSize));
}

Channels::~Channels() = default;

// In order: stop, first, door, and the visitors. What is not wanted has no descriptor (poll(2) passes it
// over), and its bytes wait where they are.
void Channels::find_wanted(int stop) {
  const bool first = !merger_ || merger_->wants(0);
  wanted_ = {
      {stop, POLLIN, 0}, {first ? first_ : -1, POLLIN, 0}, {door_ ? door_->descriptor() : -1, POLLIN, 0}};
  for (const Visitor& visitor : visitors_) {
    const bool waits = visitor.stream && !merger_->wants(visitor.channel);
    const int fd = visitor.stream ? visitor.stream.get() : visitor.socket.get();
    wanted_.push_back({waits ? -1 : fd, POLLIN, 0});
  }
}

Channels::Heard Channels::hear(int stop, int timeout) {
  Heard heard;
  ordered_.clear();
  find_wanted(stop);
  if (::poll(wanted_.data(), wanted_.size(), timeout) < 0 && errno != EINTR) base::throw_errno("poll");
  heard.over = has_come(wanted_[0]) || (has_come(wanted_[1]) && !read_first(heard));
  if (heard.over || !merger_) return heard;
  for (std::size_t i = 0; merger_ && i < visitors_.size(); ++i)
    if (has_come(wanted_[3 + i])) hear_visitor(visitors_[i], heard);
  std::erase_if(visitors_, [](const Visitor& visitor) { return !visitor.socket; });
  if (has_come(wanted_[2])) let_in();
  heard.bytes = ordered_;
  if (merger_->stuck())
    throw base::Error(base::Code::protocol, "a channel has ended before the stripes that it took had come");
  if (merger_->over()) end_stripes();
  return heard;
}

std::size_t Channels::read(int fd) {
  return base::read_some(fd, std::as_writable_bytes(std::span(buffer_)));
}

// False at its end.
bool Channels::read_first(Heard& heard) {
  heard.count = read(first_);
  const std::string_view bytes(buffer_.data(), heard.count);
  if (merger_) {
    merger_->feed(0, bytes, ordered_);
  } else {
    heard.bytes = bytes;
  }
  return heard.count > 0;
}

void Channels::hear_visitor(Visitor& visitor, Heard& heard) {
  if (!visitor.stream) return take_in(visitor);
  if (merger_->over()) return;
  const std::size_t got = read(visitor.stream.get());
  heard.count += got;
  if (got > 0) return merger_->feed(visitor.channel, {buffer_.data(), got}, ordered_);
  merger_->end(visitor.channel);
  visitor = {};
}

// A visitor that goes away before it is in has brought nothing.
void Channels::take_in(Visitor& visitor) {
  auto stream = take_descriptor(visitor.socket.get());
  try {
    if (!stream || merger_->channels() == protocol::kMostChannels) {
      visitor = {};
      return;
    }
    welcome_visitor(visitor.socket.get());
    visitor.stream = std::move(*stream);
    visitor.channel = merger_->add();
  } catch (const base::Error&) {
    visitor = {};
  }
}

void Channels::let_in() {
  base::UniqueFd socket = door_->let_in();
  if (socket && visitors_.size() < protocol::kMostChannels) visitors_.push_back({std::move(socket), {}, 0});
}

std::string_view Channels::begin_stripes(const std::string& token, std::string_view came) {
  if (merger_) throw base::Error(base::Code::protocol, "stripes begin within stripes");
  merger_.emplace();
  try {
    door_.emplace(token);
  } catch (const base::Error&) {
    door_.reset();  // nobody can join, and the first channel carries everything
  }
  ordered_.clear();
  merger_->feed(0, came, ordered_);
  if (merger_->over()) end_stripes();
  return ordered_;
}

// The visitors are let go, and their channels end.
void Channels::end_stripes() {
  merger_.reset();
  door_.reset();
  visitors_.clear();
}

}  // namespace porter::agent
