#pragma once
// One stream of bytes that goes over several channels: it is cut into numbered stripes, each of which travels
// whole on one of them, and is put in order again. A stripe is u32 length (at most kMaxStripe), u64 number
// (from 0), both big-endian, and the bytes. The numbers on one channel ascend, and none comes twice. A stripe
// of length 0, on the first channel alone, ends it all; what follows there is the stream as it was before.
// Pure values; a merger belongs to one thread.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace porter::protocol {

constexpr std::size_t kStripeHeader = 12;
constexpr std::size_t kMaxStripe = 256U << 10U;
// Of one stream, with the first. sshd allows 10 sessions in one connection (MaxSessions).
constexpr std::size_t kMostChannels = 8;

std::string stripe_header(std::size_t length, std::uint64_t number);

// Puts stripes in order. Trusts nothing. Holds what was fed to a channel whose stripe is not due, and nothing
// else: so memory is bounded by who feeds it only as long as wants() says so.
class StripeMerger {
 public:
  StripeMerger() : channels_(1) {}

  // One channel more; its number. The first is 0 and there from the beginning. Throws Error(protocol) beyond
  // kMostChannels.
  std::size_t add();
  std::size_t channels() const { return channels_.size(); }

  // Whether more bytes of the channel are of use now: not when it has ended or waits for its turn.
  bool wants(std::size_t channel) const;
  // What came on the channel. Appends to `out` what is in order now; behind the end, that is what came after
  // it on the first channel. Throws Error(protocol), and is then good for nothing more.
  void feed(std::size_t channel, std::string_view bytes, std::string& out);
  // The channel has ended. Throws Error(protocol) when that was within a stripe.
  void end(std::size_t channel);
  // The end of the stripes has come.
  bool over() const { return over_; }
  // Not over, and no channel could bring the stripe that is due.
  bool stuck() const;

 private:
  struct Channel {
    std::string held;
    std::optional<std::uint64_t> number;  // of the stripe that has begun
    std::size_t left = 0;                 // bytes of it that are still to be given out
    std::uint64_t least = 0;              // the next number may not be below
    bool ended = false;
  };

  void begin_stripe(Channel& channel);
  bool advance(Channel& channel, std::string& out);

  std::vector<Channel> channels_;
  std::uint64_t due_ = 0;
  bool over_ = false;
};

}  // namespace porter::protocol
