#include "core/sync/file_ranges.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/base/error.h"

namespace porter::sync {

std::uint64_t total_size(const std::vector<Range>& ranges) {
  std::uint64_t size = 0;
  for (const Range& range : ranges)
    size += range.size;
  return size;
}

FileRanges::FileRanges(int fd, std::uint64_t size) : FileRanges(fd, std::vector<Range>{{0, size}}) {}

FileRanges::FileRanges(int fd, std::vector<Range> ranges) : fd_(fd) {
  for (const Range& range : ranges) {
    if (range.size == 0) continue;
    pieces_.push_back({size_, range});
    size_ += range.size;
  }
}

std::size_t FileRanges::read(char* into, std::size_t length, std::uint64_t position,
                             const char* subject) const {
  std::size_t total = 0;
  auto piece = std::upper_bound(pieces_.begin(), pieces_.end(), position,
                                [](std::uint64_t at, const Piece& each) { return at < each.position; });
  if (piece != pieces_.begin()) --piece;
  for (; piece != pieces_.end() && total < length; ++piece) {
    const std::uint64_t skip = position + total - piece->position;
    if (skip >= piece->range.size) break;
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(length - total, piece->range.size - skip));
    const std::size_t got = read_at(fd_, into + total, wanted, piece->range.offset + skip, subject);
    total += got;
    if (got < wanted) break;
  }
  return total;
}

std::size_t read_at(int fd, char* into, std::size_t length, std::uint64_t offset, const char* subject) {
  std::size_t total = 0;
  while (total < length) {
    const ssize_t got = ::pread(fd, into + total, length - total, static_cast<off_t>(offset + total));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) base::throw_errno(subject);
    if (got == 0) break;
    total += static_cast<std::size_t>(got);
  }
  return total;
}

}  // namespace porter::sync
