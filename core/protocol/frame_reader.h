#pragma once
// Frames out of the bytes of one direction of a connection, packed or not. Belongs to one thread.

#include <optional>
#include <string_view>

#include "core/protocol/frame.h"
#include "core/protocol/unpacker.h"

namespace porter::protocol {

class FrameReader {
 public:
  void feed(std::string_view bytes) { outer_.feed(bytes); }
  // The next whole frame that is not a packed one, or nothing yet. Holds at most one unpacked payload, so who
  // has enough for now just does not call it. Throws Error(protocol).
  std::optional<Frame> next();
  // What was fed behind the frame that next() gave: after Stripe, which says that it is no frames.
  std::string take_rest() { return outer_.take_rest(); }

 private:
  FrameParser outer_;
  Unpacker unpacker_;
  FrameParser inner_;
};

}  // namespace porter::protocol
