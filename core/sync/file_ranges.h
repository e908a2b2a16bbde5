#pragma once
// Stretches of an open file, read as if they were one file: what librsync is given, since it only has to look
// at what whole blocks (block_match.h) do not explain.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace porter::sync {

struct Range {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  friend bool operator==(const Range&, const Range&) = default;
};

std::uint64_t total_size(const std::vector<Range>& ranges);

// Values; the descriptor stays the caller's and must outlive them. Reads with pread(2). Any thread.
class FileRanges {
 public:
  // All of it.
  FileRanges(int fd, std::uint64_t size);
  FileRanges(int fd, std::vector<Range> ranges);

  std::uint64_t size() const { return size_; }
  // As many bytes as there are from `position` on; fewer than asked for also when the file became shorter.
  // Throws Error(io) that names the subject.
  std::size_t read(std::span<std::byte> into, std::uint64_t position, std::string_view subject) const;

 private:
  struct Piece {
    std::uint64_t position;  // within the whole
    Range range;
  };
  int fd_;
  std::uint64_t size_ = 0;
  std::vector<Piece> pieces_;  // none is empty
};

}  // namespace porter::sync
