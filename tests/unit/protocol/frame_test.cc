#include "core/protocol/frame.h"

#include "core/base/error.h"
#include "tests/support/catch.h"

using namespace porter;
using namespace porter::protocol;

TEST_CASE("frames survive being cut at any byte", "[frame]") {
  const std::string stream =
      encode_frame(1, "one") + encode_frame(2, "") + encode_frame(255, std::string(70000, 'x'));
  for (const std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{65536}}) {
    FrameParser parser;
    std::vector<Frame> frames;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      parser.feed(std::string_view(stream).substr(at, step));
      while (auto frame = parser.next())
        frames.push_back(std::move(*frame));
    }
    REQUIRE(frames.size() == 3);
    CHECK(frames[0].payload == "one");
    CHECK(frames[1].type == 2);
    CHECK(frames[2].payload.size() == 70000);
    CHECK(parser.buffered() == 0);
  }
}

TEST_CASE("a length beyond the limit is refused as soon as it is read", "[frame]") {
  FrameParser parser;
  parser.feed(std::string_view("\x01\x00\x10\x00\x05", 5));  // 1 MiB + 1
  CHECK_THROWS_AS(parser.next(), base::Error);
  FrameParser largest;
  largest.feed(encode_frame(5, std::string(kMaxPayload, 'x')));
  CHECK(largest.next()->payload.size() == kMaxPayload);
  CHECK_THROWS_AS(encode_frame(5, std::string(kMaxPayload + 1, 'x')), base::Error);
}

TEST_CASE("the magic is found behind noise, however it is cut", "[magic]") {
  const std::string noise =
      std::string("Welcome to web01!\nporter-agent\r\n") + std::string("\0\xffporter", 8) + "\n";
  const std::string stream = noise + std::string(kMagic) + "rest";
  for (std::size_t step = 1; step < 40; ++step) {
    MagicFinder finder;
    bool found = false;
    for (std::size_t at = 0; at < stream.size(); at += step)
      found = finder.feed(std::string_view(stream).substr(at, step));
    CHECK(found);
    CHECK(finder.rest() == "rest");
    CHECK(finder.noise().starts_with("Welcome to web01!\n"));
  }
}

TEST_CASE("endless noise is refused and quoted so that it cannot drive a terminal", "[magic]") {
  MagicFinder finder;
  const std::string line = "\x1b[31mThis account is currently not available.\n";
  try {
    for (std::size_t sent = 0; sent < 2 * kMaxNoise; sent += line.size())
      finder.feed(line);
    FAIL("accepted");
  } catch (const base::Error& error) {
    CHECK(error.message().find("\\x1b[31mThis account is currently not available.") != std::string::npos);
    CHECK(error.message().find('\x1b') == std::string::npos);
    CHECK(error.message().size() < 2000);
  }
}
