#pragma once
// How much work packing is worth at the moment: the more, the more the line holds us up, as long as there is
// time for it; none where the line is faster than we could pack. Told by what waits to be sent each time a
// frame goes out. A value.

#include <cstddef>
#include <optional>

#include "core/transport/transport.h"

namespace porter::endpoint {

class PackLevel {
 public:
  struct Signs {
    std::size_t waiting = 0;  // bytes before the frame that the transport has not taken yet
    double work = 0;          // which part of the time since the last frame packing that one took
    transport::LineState line;
    bool several_channels = false;  // their windows together hold up little
  };
  // zstd's level for the next frame; nothing: it is not packed.
  std::optional<int> next(const Signs& signs);

 private:
  void lean(int where);

  std::size_t step_ = 0;
  int tendency_ = 0;
};

}  // namespace porter::endpoint
