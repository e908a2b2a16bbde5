#include "core/protocol/packer.h"

#include <zstd.h>

#include <random>

#include "core/base/error.h"
#include "core/protocol/frame_reader.h"
#include "core/protocol/unpacker.h"
#include "tests/support/catch.h"

using namespace porter;
using namespace porter::protocol;

namespace {

std::string text(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string out;
  while (out.size() < size)
    out += "line " + std::to_string(random() % 1000) + " of some text that says much the same again\n";
  out.resize(size);
  return out;
}

std::string noise(std::size_t size) {
  std::mt19937_64 random(7);
  std::string out;
  while (out.size() < size) {
    const std::uint64_t word = random();
    out.append(reinterpret_cast<const char*>(&word), sizeof word);
  }
  out.resize(size);
  return out;
}

std::uint8_t type_of(const std::string& frame) {
  return static_cast<std::uint8_t>(frame.at(4));
}

std::vector<Frame> read_all(std::string_view stream, std::size_t step = 1000) {
  FrameReader reader;
  std::vector<Frame> frames;
  for (std::size_t at = 0; at < stream.size(); at += step) {
    reader.feed(stream.substr(at, step));
    while (auto frame = reader.next())
      frames.push_back(std::move(*frame));
  }
  return frames;
}

// A packed frame around what zstd makes of `bytes`.
std::string packed(const std::string& bytes, char fresh = 1, int window = kPackWindowLog) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window);
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  out.resize(ZSTD_compress2(context, out.data(), out.size(), bytes.data(), bytes.size()));
  ZSTD_freeCCtx(context);
  return encode_frame(kPackedType, fresh + out);
}

std::string refusal(const std::string& stream) {
  try {
    read_all(stream);
  } catch (const base::Error& error) {
    CHECK(error.code() == base::Code::protocol);
    return error.message();
  }
  return "";
}

}  // namespace

TEST_CASE("packed and plain frames come back in order, whatever the level and wherever they are cut",
          "[packer]") {
  for (const Packer::Stream kind : {Packer::Stream::continued, Packer::Stream::single}) {
    Packer packer(kind);
    std::string stream;
    std::vector<std::string> sent;
    for (const int level : {1, 1, -5, 7, 7, 3}) {
      for (const std::string& payload :
           {text(300'000, static_cast<unsigned>(sent.size())), std::string("short"), noise(70'000),
            std::string(kMaxPayload, 'x'), std::string()}) {
        sent.push_back(payload);
        stream += packer.pack(encode_frame(9, payload), level);
      }
      if (level == -5) packer.end();
    }
    CHECK(stream.size() < 12'000'000);
    for (const std::size_t step : {std::size_t{1'000}, std::size_t{5'000'000}}) {
      const std::vector<Frame> frames = read_all(stream, step);
      REQUIRE(frames.size() == sent.size());
      for (std::size_t i = 0; i < sent.size(); ++i)
        CHECK((frames[i].type == 9 && frames[i].payload == sent[i]));
    }
  }
}

TEST_CASE("what was packed before makes what follows smaller, unless each stands alone", "[packer]") {
  const std::string frame = encode_frame(9, text(100'000, 1));
  Packer continued(Packer::Stream::continued);
  const std::size_t first = continued.pack(frame, 1).size();
  CHECK(continued.pack(frame, 1).size() < first / 10);
  continued.end();
  CHECK(continued.pack(frame, 1).size() == first);
  Packer single(Packer::Stream::single);
  single.pack(frame, 1);
  CHECK(single.pack(frame, 1).size() > first / 2);
}

TEST_CASE("only so many streams work hard at the same time", "[packer]") {
  const std::string frame = encode_frame(9, text(300'000, 1));
  const std::size_t light = Packer(Packer::Stream::continued).pack(frame, 1).size();
  const std::size_t heavy = Packer(Packer::Stream::continued).pack(frame, 7).size();
  REQUIRE(heavy < light);
  std::vector<std::unique_ptr<Packer>> all;
  for (int i = 0; i < Packer::kMostHeavy; ++i) {
    all.push_back(std::make_unique<Packer>(Packer::Stream::continued));
    CHECK(all.back()->pack(frame, 7).size() == heavy);
  }
  Packer late(Packer::Stream::continued);
  CHECK(late.pack(frame, 7).size() == light);
  all.pop_back();
  late.end();
  CHECK(late.pack(frame, 7).size() == heavy);
}

TEST_CASE("what does not get smaller travels as it is", "[packer]") {
  const std::string small = encode_frame(9, std::string(100, 'x'));
  const std::string loud = encode_frame(9, noise(100'000));
  const std::string large = encode_frame(9, std::string(kMaxPayload, 'x'));
  Packer single(Packer::Stream::single);
  CHECK(single.pack(small, 1) == small);
  CHECK(single.pack(loud, 1) == loud);
  CHECK(single.pack(large, 1) == large);
  // A stream cannot take back what it has seen; after that a sample decides.
  Packer continued(Packer::Stream::continued);
  CHECK(type_of(continued.pack(loud, 1)) == kPackedType);
  CHECK(continued.pack(loud, 1) == loud);
  CHECK(type_of(continued.pack(encode_frame(9, text(100'000, 1)), 1)) == kPackedType);
  CHECK(type_of(continued.pack(loud, 1)) == kPackedType);
}

TEST_CASE("a packed frame that is none is refused", "[packer]") {
  const std::string frame = encode_frame(9, text(2'000, 1));
  CHECK(read_all(packed(frame)).size() == 1);
  CHECK(read_all(packed(frame + frame)).size() == 2);
  CHECK(refusal(encode_frame(kPackedType, "")) == "a packed frame begins with nonsense");
  CHECK(refusal(packed(frame, 2)) == "a packed frame begins with nonsense");
  CHECK(refusal(packed(frame, 0)) == "a packed frame goes on with a stream that never began");
  CHECK(refusal(packed(frame) + packed(frame, 0)) == "a packed frame goes on with a stream that never began");
  CHECK(refusal(encode_frame(kPackedType, "\1not a stream of today")) == "a packed frame is none");
  CHECK(refusal(packed(frame.substr(0, frame.size() - 1))) == "a packed frame ends in the middle of a frame");
  CHECK(refusal(packed(packed(frame))) == "a packed frame within a packed frame");
  std::string longer = packed(frame).substr(kHeaderSize) + "more";
  CHECK(refusal(encode_frame(kPackedType, longer)) == "a packed frame goes on behind its end");
  std::string cut = packed(frame).substr(kHeaderSize);
  cut.resize(cut.size() / 2);
  CHECK_FALSE(refusal(encode_frame(kPackedType, cut)).empty());
}

TEST_CASE("few bytes that stand for very many are refused before they take memory", "[packer]") {
  std::string largest = encode_frame(9, std::string(kMaxPayload, 'x'));
  CHECK(read_all(packed(largest)).size() == 1);
  CHECK(refusal(packed(largest + encode_frame(9, ""))) == "a packed frame holds more than a frame may");
  const std::string bomb = packed(std::string(200U << 20U, '\0'));
  CHECK(bomb.size() < 100'000);
  CHECK(refusal(bomb) == "a packed frame holds more than a frame may");
  const std::string far =
      refusal(packed(text(3U << 20U, 1).insert(0, encode_frame(9, "")), 1, kPackWindowLog + 1));
  CHECK(far.find("too much memory") != std::string::npos);
}
