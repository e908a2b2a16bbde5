#include "core/base/checksum.h"

#include <xxhash.h>

#include <cstring>

namespace porter::base {

Checksum checksum(std::string_view bytes) {
  XXH128_canonical_t canonical;
  ::XXH128_canonicalFromHash(&canonical, ::XXH3_128bits(bytes.data(), bytes.size()));
  Checksum sum{};
  static_assert(sizeof canonical.digest == sizeof sum);
  std::memcpy(sum.data(), canonical.digest, sum.size());
  return sum;
}

}  // namespace porter::base
