#pragma once
// What the blocks of a large file are, in 20 bytes for each 64 KiB: enough to find them in another file. The
// target makes the table of its old file, the operator's side looks for its blocks in the new one
// (block_match.h).
//
// Each block has a strong sum (XXH3-128: some 12 GB/s, not meant to withstand anybody; the digest of the
// whole file decides in the end) and a weak one that can be moved on by a byte at a time, to find the block
// wherever it is. The weak sum is Rabin and Karp's: sum of byte[i] × M^(n - 1 - i), modulo 2^32.

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/cancel.h"

namespace porter::sync {

inline constexpr std::uint64_t kBlockBytes = 64U << 10U;

// Old files from this size on are worth a table: it costs a round trip more, and saves most of librsync's
// work. Below it that is some 20 ms.
inline constexpr std::uint64_t kTableFrom = 4U << 20U;

struct StrongSum {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend auto operator<=>(const StrongSum&, const StrongSum&) = default;
};

struct BlockSum {
  std::uint32_t weak = 0;
  StrongSum strong;
  friend bool operator==(const BlockSum&, const BlockSum&) = default;
};

// Of a file of `size` bytes; the last block may be shorter.
struct BlockTable {
  std::uint64_t size = 0;
  std::vector<BlockSum> blocks;
};

// Any thread.
StrongSum strong_sum(std::string_view bytes);
std::uint32_t weak_sum(std::string_view bytes);

// A weak sum over as many bytes as `weak_sum` was given, one byte further.
class RollingSum {
 public:
  explicit RollingSum(std::string_view first);
  std::uint32_t value() const { return sum_; }
  void roll(char out, char in) {
    sum_ = sum_ * kMultiplier + static_cast<unsigned char>(in) - leaving_ * static_cast<unsigned char>(out);
  }

  // Odd, so that no byte's part is lost; otherwise of no meaning.
  static constexpr std::uint32_t kMultiplier = 0x2C9277B5;

 private:
  std::uint32_t sum_;
  std::uint32_t leaving_;  // kMultiplier to the power of the number of bytes
};

// On all cores. Throws Error(io), also when the file ends before `size`, and Interrupted.
BlockTable make_block_table(int fd, std::uint64_t size, const base::CancelToken& cancel);

// The bytes on the wire: weak (4 bytes) and strong sum (16), big-endian, one block after the other.
std::string encode_blocks(const BlockTable& table);

// Takes a table from a peer: exactly as many bytes as the file's size asks for, and no more than 1 GiB of
// them (3 TiB of file). Throws Error(protocol).
class BlockTableLoader {
 public:
  explicit BlockTableLoader(std::uint64_t file_size);
  void feed(std::string_view bytes);
  BlockTable finish();

 private:
  std::uint64_t file_size_;
  std::uint64_t expected_;
  std::string bytes_;
};

}  // namespace porter::sync
