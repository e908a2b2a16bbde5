#pragma once
// Frames: u32 length of the payload (little-endian), u8 type, payload. The agent speaks first, with a magic
// of 16 bytes that no shell start-up file prints by accident. Pure values and an incremental parser; frames
// within packed frames come out of core/protocol/frame_reader.h. A parser belongs to one thread.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace porter::protocol {

constexpr std::size_t kMaxPayload = 1U << 20U;
constexpr std::size_t kHeaderSize = 5;
constexpr std::size_t kMaxNoise = 64U << 10U;  // what start-up files may print before the magic
constexpr std::string_view kMagic{"\x00\xffporter-agent\r\n", 16};

struct Frame {
  std::uint8_t type = 0;
  std::string payload;
};

// The frame as bytes. Throws Error(internal) beyond kMaxPayload.
std::string encode_frame(std::uint8_t type, std::string_view payload);

// Cuts a byte stream into frames. Lengths are checked before anything is allocated for them.
class FrameParser {
 public:
  void feed(std::string_view bytes);
  // The next whole frame, or nothing yet. Throws Error(protocol) for a length that is not allowed.
  std::optional<Frame> next();
  // Bytes that are fed and not yet given out.
  std::size_t buffered() const { return buffer_.size() - start_; }
  // Those bytes, which are no frames.
  std::string take_rest();

 private:
  std::string buffer_;
  std::size_t start_ = 0;
};

// What a program says on a further channel once that has become part of the connection (core/agent/join.h).
constexpr std::string_view kJoined{"\x00\xffporter-join\r\n\x00", 16};

// Finds the magic behind noise.
class MagicFinder {
 public:
  explicit MagicFinder(std::string_view magic = kMagic) : magic_(magic) {}

  // True once the magic was seen; what came behind it is in rest(). Throws Error(agent) that quotes the noise
  // when more than kMaxNoise bytes came without it.
  bool feed(std::string_view bytes);
  const std::string& rest() const { return rest_; }
  // What came before the magic (so far), printable, its end only when long.
  std::string noise() const;

 private:
  std::string_view magic_;
  std::string seen_;
  std::string rest_;
  bool found_ = false;
};

}  // namespace porter::protocol
