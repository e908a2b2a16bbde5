#pragma once
// Filling a new file with an old one's content, the cheapest way that the file system has. All throw
// Error(io) and Error(no_space).

#include <cstdint>

#include "core/base/cancel.h"

namespace porter::base {

// Fills the new, empty `to` with all of `from`: shared blocks where the file system can (FICLONE), else a
// copy within the kernel, else by reading and writing. Throws Interrupted when `cancel`, if there is one,
// comes.
void clone_content(int from, int to, const CancelToken* cancel = nullptr);
// One of the two alone: share_content() throws Error(refused) where the file system cannot.
void share_content(int from, int to);
void copy_content(int from, int to, const CancelToken* cancel = nullptr);

// Copies `size` bytes at one offset of `from` to another of `to`, within the kernel where it can (which
// shares blocks where the file system can), else by reading and writing. False when `from` ends before.
bool copy_range(int from, std::uint64_t from_offset, int to, std::uint64_t to_offset, std::uint64_t size);

}  // namespace porter::base
