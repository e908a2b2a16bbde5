#pragma once
// How much work packing is worth at the moment: the more, the more the line holds us up; none where the line
// is faster than we could pack. Told by what waits to be sent each time a frame goes out. A value.

#include <cstddef>
#include <optional>

#include "core/transport/transport.h"

namespace porter::endpoint {

class PackLevel {
 public:
  // zstd's level for the next frame; nothing: it is not packed. `waiting` are the bytes before it that the
  // transport has not taken yet.
  std::optional<int> next(std::size_t waiting, const transport::LineState& line);

 private:
  void lean(int where);

  std::size_t step_ = 0;
  int tendency_ = 0;
};

}  // namespace porter::endpoint
