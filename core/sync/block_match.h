#pragma once
// Which stretches of a new file are blocks of an old one, known by its table alone. The search is rsync's
// (Tridgell, "Efficient Algorithms for Sorting and Synchronization", chapter 3): block after block as long as
// they follow each other, which costs a strong sum each; where they do not, a weak sum that rolls on byte by
// byte until a block is found, wherever it was. What no whole block explains is left to librsync (delta.h),
// with small blocks. Pure but for reading the new file; segments of it are searched on all cores.

#include <cstdint>
#include <vector>

#include "core/base/cancel.h"
#include "core/sync/block_table.h"
#include "core/sync/file_ranges.h"

namespace porter::sync {

// `size` bytes at `to` of the new file are those at `from` of the old one.
struct Copy {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  std::uint64_t size = 0;
  friend bool operator==(const Copy&, const Copy&) = default;
};

// Shorter ones are not worth being told.
inline constexpr std::uint64_t kLeastCopy = 1U << 10U;

// Ascending in the new file, none over another, none shorter than kLeastCopy. Throws Error(io), also when the
// file ends before `new_size`, and Interrupted. Whatever a hostile table holds, time is bounded by the file's
// size.
std::vector<Copy> match_blocks(const BlockTable& old, int new_fd, std::uint64_t new_size,
                               const base::CancelToken& cancel);

// What copies leave over, ascending: of the new file, what is not copied; of the old one, what nothing is
// copied from. Both ends find the same.
struct Rest {
  std::vector<Range> of_old;
  std::vector<Range> of_new;
};
Rest what_is_left(const std::vector<Copy>& copies, std::uint64_t old_size, std::uint64_t new_size);

// Copies from a peer. Throws Error(protocol) unless they are as match_blocks() gives them, within both files.
void check_copies(const std::vector<Copy>& copies, std::uint64_t old_size, std::uint64_t new_size);

}  // namespace porter::sync
