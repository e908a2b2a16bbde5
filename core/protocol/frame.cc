#include "core/protocol/frame.h"

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/text.h"

namespace porter::protocol {
namespace {

constexpr std::size_t kQuotedNoise = 600;

std::uint32_t length_at(std::string_view bytes) {
  const auto byte = [&](std::size_t i) { return std::uint32_t{static_cast<unsigned char>(bytes[i])}; };
  return byte(0) | byte(1) << 8U | byte(2) << 16U | byte(3) << 24U;
}

}  // namespace

std::string encode_frame(std::uint8_t type, std::string_view payload) {
  if (payload.size() > kMaxPayload)
    throw base::Error(base::Code::internal,
                      fmt::format("a frame of type {} is too large: {} bytes, allowed {}", type,
                                  payload.size(), kMaxPayload));
  std::string out;
  out.reserve(kHeaderSize + payload.size());
  for (unsigned shift = 0; shift < 32; shift += 8)
    out += static_cast<char>((payload.size() >> shift) & 0xFFU);
  out += static_cast<char>(type);
  return out.append(payload);
}

void FrameParser::feed(std::string_view bytes) {
  if (start_ > 0 && (start_ == buffer_.size() || start_ > kMaxPayload)) {
    buffer_.erase(0, start_);
    start_ = 0;
  }
  buffer_.append(bytes);
}

std::optional<Frame> FrameParser::next() {
  const std::string_view ready = std::string_view(buffer_).substr(start_);
  if (ready.size() < kHeaderSize) return std::nullopt;
  const std::size_t length = length_at(ready);
  if (length > kMaxPayload)
    throw base::Error(base::Code::protocol,
                      fmt::format("a frame of {} bytes was announced, allowed are {}", length, kMaxPayload));
  if (ready.size() < kHeaderSize + length) return std::nullopt;
  Frame frame{static_cast<std::uint8_t>(ready[4]), std::string(ready.substr(kHeaderSize, length))};
  start_ += kHeaderSize + length;
  return frame;
}

std::string FrameParser::take_rest() {
  std::string rest = buffer_.substr(start_);
  buffer_.clear();
  start_ = 0;
  return rest;
}

bool MagicFinder::feed(std::string_view bytes) {
  if (found_) {
    rest_.append(bytes);
    return true;
  }
  const std::size_t overlap = seen_.size() < magic_.size() ? 0 : seen_.size() - magic_.size();
  seen_.append(bytes);
  const std::size_t at = seen_.find(magic_, overlap);
  found_ = at != std::string::npos && at <= kMaxNoise;
  if (found_) {
    rest_ = seen_.substr(at + magic_.size());
    seen_.resize(at);
    return true;
  }
  if (seen_.size() > kMaxNoise + magic_.size())
    throw base::Error(base::Code::agent,
                      fmt::format("the agent's greeting did not come; instead: {}", noise()));
  return false;
}

std::string MagicFinder::noise() const {
  const std::string_view text = base::trim(seen_);
  if (text.size() <= kQuotedNoise) return base::printable_lines(text);
  return "… " + base::printable_lines(text.substr(text.size() - kQuotedNoise));
}

}  // namespace porter::protocol
