// The mount table of a target. What is found is a mount point that the path is below.

#include "core/agent/space.h"
#include "tests/fuzz/fuzz.h"

using namespace porter;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string path = "/srv/shop/web";
  const std::string point = agent::mount_point_of(fuzz::bytes_of(data, size), path, "8:1");
  require(point.empty() || path.starts_with(point), "a path is below its mount point");
  return 0;
}
