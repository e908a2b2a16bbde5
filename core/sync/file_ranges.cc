#include "core/sync/file_ranges.h"

#include <algorithm>

#include "core/base/fd.h"

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

std::size_t FileRanges::read(std::span<std::byte> into, std::uint64_t position,
                             std::string_view subject) const {
  std::size_t total = 0;
  auto piece = std::upper_bound(pieces_.begin(), pieces_.end(), position,
                                [](std::uint64_t at, const Piece& each) { return at < each.position; });
  if (piece != pieces_.begin()) --piece;
  for (; piece != pieces_.end() && total < into.size(); ++piece) {
    const std::uint64_t skip = position + total - piece->position;
    if (skip >= piece->range.size) break;
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(into.size() - total, piece->range.size - skip));
    const std::size_t got =
        base::read_at(fd_, into.subspan(total, wanted), piece->range.offset + skip, subject);
    total += got;
    if (got < wanted) break;
  }
  return total;
}

}  // namespace porter::sync
