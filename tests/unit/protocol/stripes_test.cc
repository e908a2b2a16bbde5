#include "core/protocol/stripes.h"

#include <algorithm>
#include <deque>
#include <random>

#include "tests/support/catch.h"
#include "tests/support/error_of.h"

using namespace porter;
using namespace porter::protocol;

namespace {

std::string stripe(std::uint64_t number, std::string_view bytes) {
  return stripe_header(bytes.size(), number) + std::string(bytes);
}

std::string end_of_stripes(std::uint64_t number) {
  return stripe_header(0, number);
}

// What comes of these bytes on these channels, in this order.
struct Arrival {
  std::size_t channel;
  std::string bytes;
};

std::string merged(StripeMerger& merger, const std::vector<Arrival>& arrivals) {
  std::string out;
  for (const Arrival& each : arrivals)
    merger.feed(each.channel, each.bytes, out);
  return out;
}

std::string refusal_of(const std::vector<Arrival>& arrivals) {
  StripeMerger merger;
  merger.add();
  merger.add();
  try {
    merged(merger, arrivals);
  } catch (const base::Error& error) {
    CHECK(error.code() == base::Code::protocol);
    return error.message();
  }
  return "";
}

// A stream, dealt out to channels at random.
struct Dealt {
  std::string stream;
  std::vector<std::string> channels;
};

Dealt deal(std::mt19937& random, std::size_t channels) {
  Dealt dealt;
  dealt.channels.resize(channels);
  const std::uint64_t stripes = random() % 60;
  for (std::uint64_t number = 0; number < stripes; ++number) {
    const std::string bytes(1 + random() % (number % 7 == 0 ? kMaxStripe : 300), static_cast<char>(random()));
    dealt.stream += bytes;
    dealt.channels[random() % channels] += stripe(number, bytes);
  }
  dealt.channels[0] += end_of_stripes(stripes) + "and frames again";
  dealt.stream += "and frames again";
  return dealt;
}

}  // namespace

TEST_CASE("stripes come out in order, however channels and pieces interleave", "[stripes]") {
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    const std::size_t channels = 1 + seed % kMostChannels;
    const Dealt dealt = deal(random, channels);
    StripeMerger merger;
    while (merger.channels() < channels)
      merger.add();
    std::vector<std::string_view> left(dealt.channels.begin(), dealt.channels.end());
    std::string out;
    for (std::size_t turns = 0;
         std::any_of(left.begin(), left.end(), [](auto one) { return !one.empty(); });) {
      REQUIRE(++turns < 1'000'000);
      REQUIRE_FALSE(merger.stuck());
      const std::size_t channel = random() % channels;
      if (!merger.wants(channel)) continue;
      const std::string_view piece = left[channel].substr(0, 1 + random() % 100'000);
      left[channel].remove_prefix(piece.size());
      merger.feed(channel, piece, out);
    }
    CHECK(out == dealt.stream);
    CHECK(merger.over());
  }
}

TEST_CASE("a channel whose stripe is not due is not wanted, and the others are", "[stripes]") {
  StripeMerger merger;
  CHECK(merger.add() == 1);
  CHECK(merged(merger, {{1, stripe(1, "later")}}).empty());
  CHECK(merger.wants(0));
  CHECK_FALSE(merger.wants(1));
  CHECK(merged(merger, {{0, stripe(0, "now").substr(0, 5)}}).empty());
  CHECK(merger.wants(0));
  CHECK(merged(merger, {{0, stripe(0, "now").substr(5)}}) == "nowlater");
  CHECK(merger.wants(1));
}

TEST_CASE("a stripe that is due comes out piece by piece", "[stripes]") {
  StripeMerger merger;
  CHECK(merged(merger, {{0, stripe(0, "piece").substr(0, kStripeHeader + 2)}}) == "pi");
  CHECK(merged(merger, {{0, "e"}}) == "e");
}

TEST_CASE("numbers that come twice or out of order are refused", "[stripes]") {
  CHECK(refusal_of({{0, stripe(0, "a")}, {1, stripe(0, "b")}}).find("number 0") != std::string::npos);
  CHECK(refusal_of({{1, stripe(5, "a")}, {2, stripe(5, "b")}, {0, stripe(0, "c")}}).empty());
  CHECK(refusal_of({{1, stripe(1, "a")}, {2, stripe(1, "b")}, {0, stripe(0, "c")}}).find("twice") !=
        std::string::npos);
  CHECK(refusal_of({{0, stripe(0, "a") + stripe(0, "b")}}).find("out of order") != std::string::npos);
  CHECK(refusal_of({{0, stripe(0, "a")}, {1, stripe(2, "c")}, {0, stripe(1, "b")}, {1, stripe(1, "b")}})
            .find("out of order") != std::string::npos);
  CHECK(refusal_of({{1, stripe(~std::uint64_t{0}, "a")}, {0, stripe(0, "b")}}).empty());
}

TEST_CASE("lengths beyond the limit are refused before the bytes come", "[stripes]") {
  CHECK(refusal_of({{0, stripe_header(kMaxStripe, 0)}}).empty());
  CHECK_FALSE(refusal_of({{0, stripe_header(kMaxStripe + 1, 0)}}).empty());
  CHECK_FALSE(refusal_of({{0, stripe_header(0xFFFFFFFFU, 0)}}).empty());
  CHECK_FALSE(refusal_of({{1, stripe_header(kMaxStripe + 1, 9)}}).empty());
}

TEST_CASE("the end comes on the first channel, when it is due", "[stripes]") {
  CHECK_FALSE(refusal_of({{1, end_of_stripes(0)}}).empty());
  CHECK_FALSE(refusal_of({{0, end_of_stripes(0)}, {1, "more"}}).empty());
  StripeMerger merger;
  merger.add();
  CHECK(merged(merger, {{0, end_of_stripes(1) + "frames"}}).empty());
  CHECK_FALSE(merger.over());
  CHECK_FALSE(merger.wants(0));
  CHECK(merged(merger, {{1, stripe(0, "last")}}) == "lastframes");
  CHECK(merger.over());
  CHECK_FALSE(merger.stuck());
}

TEST_CASE("a channel may end between stripes, and not within one", "[stripes]") {
  for (std::size_t cut = 0; cut <= kStripeHeader + 3; ++cut) {
    StripeMerger merger;
    merger.add();
    std::string out;
    merger.feed(1, stripe(0, "abc").substr(0, cut), out);
    if (cut == 0 || cut == kStripeHeader + 3) {
      merger.end(1);
      CHECK_FALSE(merger.wants(1));
    } else {
      CHECK(tests::error_of([&] { merger.end(1); }).code() == base::Code::protocol);
    }
  }
}

TEST_CASE("when no channel can bring the stripe that is due, it says so", "[stripes]") {
  StripeMerger merger;
  merger.add();
  std::string out;
  merger.feed(0, stripe(1, "b"), out);
  CHECK_FALSE(merger.stuck());
  merger.end(1);
  CHECK(merger.stuck());
}

TEST_CASE("there are so many channels at most", "[stripes]") {
  StripeMerger merger;
  while (merger.channels() < kMostChannels)
    merger.add();
  CHECK(tests::error_of([&] { merger.add(); }).code() == base::Code::protocol);
}
