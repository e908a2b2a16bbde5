#pragma once
// A checksum against accidents, for files of ours: XXH3-128, some 12 GB/s where SHA-256 has 1.3. Whoever may
// write such a file may write its checksum as well. Of contents and trees there are digests (digest.h).

#include <array>
#include <cstdint>
#include <string_view>

namespace porter::base {

// In XXH3's canonical form, which is big-endian.
using Checksum = std::array<std::uint8_t, 16>;

Checksum checksum(std::string_view bytes);

}  // namespace porter::base
