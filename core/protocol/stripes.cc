#include "core/protocol/stripes.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/bytes.h"
#include "core/base/error.h"

namespace porter::protocol {
namespace {

[[noreturn]] void refuse(const std::string& why) {
  throw base::Error(base::Code::protocol, "a stream in stripes: " + why);
}

}  // namespace

std::string stripe_header(std::size_t length, std::uint64_t number) {
  base::ByteWriter out;
  out.u32(static_cast<std::uint32_t>(length)).u64(number);
  return out.take();
}

std::size_t StripeMerger::add() {
  if (channels_.size() == kMostChannels) refuse("too many channels");
  channels_.emplace_back();
  return channels_.size() - 1;
}

bool StripeMerger::wants(std::size_t channel) const {
  const Channel& one = channels_.at(channel);
  return !one.ended && (over_ || !one.number || *one.number == due_);
}

bool StripeMerger::stuck() const {
  for (std::size_t channel = 0; channel < channels_.size(); ++channel)
    if (wants(channel)) return false;
  return !over_;
}

void StripeMerger::begin_stripe(Channel& channel) {
  base::ByteReader in(std::string_view(channel.held).substr(0, kStripeHeader));
  channel.left = in.u32();
  channel.number = in.u64();
  channel.held.erase(0, kStripeHeader);
  if (channel.left > kMaxStripe)
    refuse(fmt::format("one of {} bytes, allowed are {}", channel.left, kMaxStripe));
  if (channel.left == 0 && &channel != channels_.data()) refuse("its end on another channel than the first");
  if (*channel.number < channel.least) refuse(fmt::format("number {} out of order", *channel.number));
  channel.least = *channel.number + 1;
}

// True when something happened.
bool StripeMerger::advance(Channel& channel, std::string& out) {
  const bool begins = !channel.number && channel.held.size() >= kStripeHeader;
  if (begins) begin_stripe(channel);
  if (!channel.number || *channel.number > due_) return begins;
  if (*channel.number < due_) refuse(fmt::format("number {} twice", *channel.number));
  if (channel.left == 0) {
    over_ = true;
    out += channel.held;
    channel.held.clear();
    return false;
  }
  const std::size_t some = std::min(channel.left, channel.held.size());
  out.append(channel.held, 0, some);
  channel.held.erase(0, some);
  channel.left -= some;
  if (channel.left > 0) return begins;
  channel.number.reset();
  ++due_;
  return true;
}

void StripeMerger::feed(std::size_t channel, std::string_view bytes, std::string& out) {
  if (over_ && channel != 0) refuse("more behind its end");
  if (over_) {
    out += bytes;
    return;
  }
  channels_.at(channel).held += bytes;
  for (bool more = true; more && !over_;) {
    more = false;
    for (Channel& each : channels_)
      more = (!over_ && advance(each, out)) || more;
  }
}

void StripeMerger::end(std::size_t channel) {
  Channel& one = channels_.at(channel);
  if (one.number ? one.left > one.held.size() : !one.held.empty()) refuse("a channel ended within a stripe");
  one.ended = true;
}

}  // namespace porter::protocol
