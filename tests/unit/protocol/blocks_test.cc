#include "core/protocol/blocks.h"

#include <algorithm>
#include <deque>
#include <random>

#include "tests/support/catch.h"
#include "tests/support/error_of.h"

using namespace porter;
using namespace porter::protocol;

namespace {

std::string block(std::uint64_t number, std::string_view bytes) {
  return block_header(bytes.size(), number) + std::string(bytes);
}

std::string end_of_blocks(std::uint64_t number) {
  return block_header(0, number);
}

// What comes of these bytes on these channels, in this order.
struct Arrival {
  std::size_t channel;
  std::string bytes;
};

std::string merged(BlockMerger& merger, const std::vector<Arrival>& arrivals) {
  std::string out;
  for (const Arrival& each : arrivals)
    merger.feed(each.channel, each.bytes, out);
  return out;
}

std::string refusal_of(const std::vector<Arrival>& arrivals) {
  BlockMerger merger;
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
  const std::uint64_t blocks = random() % 60;
  for (std::uint64_t number = 0; number < blocks; ++number) {
    const std::string bytes(1 + random() % (number % 7 == 0 ? kMaxBlock : 300), static_cast<char>(random()));
    dealt.stream += bytes;
    dealt.channels[random() % channels] += block(number, bytes);
  }
  dealt.channels[0] += end_of_blocks(blocks) + "and frames again";
  dealt.stream += "and frames again";
  return dealt;
}

}  // namespace

TEST_CASE("blocks come out in order, however channels and pieces interleave", "[blocks]") {
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    const std::size_t channels = 1 + seed % kMostChannels;
    const Dealt dealt = deal(random, channels);
    BlockMerger merger;
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

TEST_CASE("a channel whose block is not due is not wanted, and the others are", "[blocks]") {
  BlockMerger merger;
  CHECK(merger.add() == 1);
  CHECK(merged(merger, {{1, block(1, "later")}}).empty());
  CHECK(merger.wants(0));
  CHECK_FALSE(merger.wants(1));
  CHECK(merged(merger, {{0, block(0, "now").substr(0, 5)}}).empty());
  CHECK(merger.wants(0));
  CHECK(merged(merger, {{0, block(0, "now").substr(5)}}) == "nowlater");
  CHECK(merger.wants(1));
}

TEST_CASE("a block that is due comes out piece by piece", "[blocks]") {
  BlockMerger merger;
  CHECK(merged(merger, {{0, block(0, "piece").substr(0, kBlockHeader + 2)}}) == "pi");
  CHECK(merged(merger, {{0, "e"}}) == "e");
}

TEST_CASE("numbers that come twice or out of order are refused", "[blocks]") {
  CHECK(refusal_of({{0, block(0, "a")}, {1, block(0, "b")}}).find("number 0") != std::string::npos);
  CHECK(refusal_of({{1, block(5, "a")}, {2, block(5, "b")}, {0, block(0, "c")}}).empty());
  CHECK(refusal_of({{1, block(1, "a")}, {2, block(1, "b")}, {0, block(0, "c")}}).find("twice") !=
        std::string::npos);
  CHECK(refusal_of({{0, block(0, "a") + block(0, "b")}}).find("out of order") != std::string::npos);
  CHECK(refusal_of({{0, block(0, "a")}, {1, block(2, "c")}, {0, block(1, "b")}, {1, block(1, "b")}})
            .find("out of order") != std::string::npos);
  CHECK(refusal_of({{1, block(~std::uint64_t{0}, "a")}, {0, block(0, "b")}}).empty());
}

TEST_CASE("lengths beyond the limit are refused before the bytes come", "[blocks]") {
  CHECK(refusal_of({{0, block_header(kMaxBlock, 0)}}).empty());
  CHECK_FALSE(refusal_of({{0, block_header(kMaxBlock + 1, 0)}}).empty());
  CHECK_FALSE(refusal_of({{0, block_header(0xFFFFFFFFU, 0)}}).empty());
  CHECK_FALSE(refusal_of({{1, block_header(kMaxBlock + 1, 9)}}).empty());
}

TEST_CASE("the end comes on the first channel, when it is due", "[blocks]") {
  CHECK_FALSE(refusal_of({{1, end_of_blocks(0)}}).empty());
  CHECK_FALSE(refusal_of({{0, end_of_blocks(0)}, {1, "more"}}).empty());
  BlockMerger merger;
  merger.add();
  CHECK(merged(merger, {{0, end_of_blocks(1) + "frames"}}).empty());
  CHECK_FALSE(merger.over());
  CHECK_FALSE(merger.wants(0));
  CHECK(merged(merger, {{1, block(0, "last")}}) == "lastframes");
  CHECK(merger.over());
  CHECK_FALSE(merger.stuck());
}

TEST_CASE("a channel may end between blocks, and not within one", "[blocks]") {
  for (std::size_t cut = 0; cut <= kBlockHeader + 3; ++cut) {
    BlockMerger merger;
    merger.add();
    std::string out;
    merger.feed(1, block(0, "abc").substr(0, cut), out);
    if (cut == 0 || cut == kBlockHeader + 3) {
      merger.end(1);
      CHECK_FALSE(merger.wants(1));
    } else {
      CHECK(tests::error_of([&] { merger.end(1); }).code() == base::Code::protocol);
    }
  }
}

TEST_CASE("when no channel can bring the block that is due, it says so", "[blocks]") {
  BlockMerger merger;
  merger.add();
  std::string out;
  merger.feed(0, block(1, "b"), out);
  CHECK_FALSE(merger.stuck());
  merger.end(1);
  CHECK(merger.stuck());
}

TEST_CASE("there are so many channels at most", "[blocks]") {
  BlockMerger merger;
  while (merger.channels() < kMostChannels)
    merger.add();
  CHECK(tests::error_of([&] { merger.add(); }).code() == base::Code::protocol);
}
