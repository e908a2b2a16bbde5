#pragma once
// Files with holes: runs of zeros that take no room on a disk. All throw Error(io) and Error(no_space).

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace porter::base {

// A run of bytes of a file that is no hole.
struct Data {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

// The first one at or behind `offset` and before `end`; nothing when there are only holes. Where the file
// system does not tell, everything is data. Moves the descriptor's position.
std::optional<Data> next_data(int fd, std::uint64_t offset, std::uint64_t end);

// Writes into a file that reads as zeros there, and leaves out whole blocks (4 KiB, as they lie in the file)
// of zeros: they stay holes, also at its end. So the file's size has to be set by others.
void write_with_holes(int fd, std::span<const std::byte> bytes, std::uint64_t offset);

}  // namespace porter::base
