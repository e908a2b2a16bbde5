#include "core/protocol/frame_reader.h"

#include "core/base/error.h"
#include "core/protocol/messages.h"

namespace porter::protocol {
namespace {

bool is_packed(const Frame& frame) {
  return frame.type == kPackedType;
}

// What follows it is not in the packed frame.
bool is_stripe(const Frame& frame) {
  return frame.type == static_cast<std::uint8_t>(Type::stripe);
}

}  // namespace

std::optional<Frame> FrameReader::next() {
  for (;;) {
    if (auto frame = inner_.next()) {
      if (is_packed(*frame)) throw base::Error(base::Code::protocol, "a packed frame within a packed frame");
      if (is_stripe(*frame)) throw base::Error(base::Code::protocol, "stripes begin within a packed frame");
      return frame;
    }
    if (inner_.buffered() != 0)
      throw base::Error(base::Code::protocol, "a packed frame ends in the middle of a frame");
    auto frame = outer_.next();
    if (!frame || !is_packed(*frame)) return frame;
    inner_.feed(unpacker_.unpack(frame->payload));
  }
}

}  // namespace porter::protocol
