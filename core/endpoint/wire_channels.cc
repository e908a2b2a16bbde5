// The further channels of a wire: when they are worth it, how they begin, end and break.

#include <fmt/format.h>
#include <poll.h>
#include <sys/random.h>

#include <array>
#include <span>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/endpoint/wire.h"

namespace porter::endpoint {
namespace {

using base::Code;
using base::Error;
using namespace std::chrono_literals;

// sshd lets 2 MiB of a channel be under way: from here on that is less than what a line of 1 Gbit/s carries.
constexpr auto kFarAway = 17ms;
// Further channels take part two round trips later, when the first one has carried 4 MiB.
constexpr std::uint64_t kWorthWidening = 8U << 20U;
constexpr int kFurtherChannels = 5;  // sshd's MaxSessions is 10 by itself, and others want some

std::string make_token() {
  std::array<std::uint8_t, protocol::Stripe::kTokenBytes> bytes{};
  if (::getentropy(bytes.data(), bytes.size()) != 0) base::throw_errno("getentropy");
  return base::to_hex(std::span<const std::uint8_t>(bytes));
}

}  // namespace

void Wire::widen(std::uint64_t bytes) {
  const bool worth_it = bytes >= kWorthWidening && process_.line_state().round_trip >= kFarAway;
  if (!worth_it || !opener_ || outlet_.in_stripes()) return;
  const std::string token = make_token();
  send(protocol::Stripe{token});
  std::vector<transport::Process> more;
  try {
    while (more.size() < kFurtherChannels)
      more.push_back(opener_(token));
  } catch (const Error&) {
    // What cannot be had is not needed; a connection that is gone is noticed anyway.
  }
  outlet_.begin_stripes(std::move(more));
  push_out();
}

void Wire::narrow() noexcept {
  if (dead_) return;
  try {
    outlet_.end_stripes();
    (void)drain();
  } catch (const std::exception&) {
    // The next user finds out what is wrong.
  }
}

// Where the agent or the connection has ended, that is the reason, and is told as ever.
void Wire::throw_broken(const transport::Process& channel) {
  const auto deadline = base::Deadline::in(2s);
  pollfd first{process_.stream.get(), POLLIN, 0};
  while (has_room() && ::poll(&first, 1, deadline.poll_timeout()) > 0)
    if (!fill()) throw_ended();
  const transport::ExitStatus status = channel.wait(base::Deadline::in(5s), cancel_);
  throw Error(Code::unreachable,
              fmt::format("{}: one of several channels ended in the middle ({})", where_, status.describe()));
}

}  // namespace porter::endpoint
