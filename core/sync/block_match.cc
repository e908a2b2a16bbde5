#include "core/sync/block_match.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "core/base/crew.h"
#include "core/base/error.h"
#include "core/base/fd.h"

namespace porter::sync {
namespace {

using base::Code;
using base::Error;

// A piece of work for one core; a multiple of the block, so that what did not move is found at once.
constexpr std::uint64_t kSegment = 16U << 20U;
constexpr std::size_t kBuffer = 256U << 10U;  // a window, and what it rolls over
// Blocks that have the weak sum and are others: none in a million files by chance. A table may be made so
// that there is one at each byte.
constexpr int kMostMisses = 64;
constexpr std::size_t kFilterBits = 64;  // for each block: one place in so many is not sorted out at once

// Where the old file has a block with a given weak sum. The same for all threads.
class BlockIndex {
 public:
  explicit BlockIndex(const BlockTable& table) : table_(table) {
    const std::size_t whole = table.size / kBlockBytes;  // the last one, if shorter, does not roll
    filter_.resize(std::bit_ceil(std::max<std::size_t>(whole, 1) * kFilterBits) / 64);
    shift_ = 32U - std::min(32U, static_cast<unsigned>(std::bit_width(filter_.size() * 64 - 1)));
    known_.reserve(whole);
    for (std::size_t i = 0; i < whole; ++i) {
      const BlockSum& block = table.blocks[i];
      known_.push_back({block.weak, block.strong, i});
      filter_[slot(block.weak) / 64] |= std::uint64_t{1} << (slot(block.weak) % 64);
    }
    std::sort(known_.begin(), known_.end());
  }

  const BlockTable& table() const { return table_; }
  std::uint64_t length(std::size_t block) const {
    return std::min(kBlockBytes, table_.size - block * kBlockBytes);
  }
  bool may_have(std::uint32_t weak) const {
    return (filter_[slot(weak) / 64] >> (slot(weak) % 64) & 1U) != 0;
  }
  bool has(std::uint32_t weak) const {
    const auto at = std::lower_bound(known_.begin(), known_.end(), Known{weak, {}, 0});
    return at != known_.end() && at->weak == weak;
  }
  // Of equal blocks the first from `expected` on, so that what follows is likely to follow here, too.
  std::optional<std::size_t> find(std::uint32_t weak, const StrongSum& strong, std::size_t expected) const {
    for (const std::size_t least : {expected, std::size_t{0}}) {
      const auto at = std::lower_bound(known_.begin(), known_.end(), Known{weak, strong, least});
      if (at != known_.end() && at->weak == weak && at->strong == strong) return at->block;
    }
    return std::nullopt;
  }

 private:
  struct Known {
    std::uint32_t weak;
    StrongSum strong;
    std::size_t block;
    friend auto operator<=>(const Known&, const Known&) = default;
  };
  std::size_t slot(std::uint32_t weak) const { return weak >> shift_; }

  const BlockTable& table_;
  std::vector<Known> known_;
  std::vector<std::uint64_t> filter_;  // a bit for each value of a weak sum's upper bits
  unsigned shift_ = 0;
};

// The new file, read forwards in large pieces.
class Window {
 public:
  Window(int fd, std::uint64_t size) : fd_(fd), size_(size), buffer_(kBuffer) {}

  std::uint64_t size() const { return size_; }
  // At least `length` bytes from `position` on, which the file must have; more when they are at hand.
  std::string_view from(std::uint64_t position, std::size_t length) {
    if (position < start_ || position + length > start_ + filled_) fill(position);
    return {buffer_.data() + (position - start_), static_cast<std::size_t>(start_ + filled_ - position)};
  }

 private:
  void fill(std::uint64_t position) {
    start_ = position;
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer_.size(), size_ - position));
    filled_ = base::read_at(fd_, std::as_writable_bytes(std::span(buffer_).first(wanted)), position, "delta");
    if (filled_ < wanted)
      throw Error(Code::io, fmt::format("delta: the file became shorter than its {} bytes", size_));
  }

  int fd_;
  std::uint64_t size_;
  std::vector<char> buffer_;
  std::uint64_t start_ = 0;
  std::size_t filled_ = 0;
};

// Blocks that begin within one segment of the new file.
class Search {
 public:
  Search(const BlockIndex& index, int fd, std::uint64_t size, const base::CancelToken& cancel)
      : index_(index), window_(fd, size), cancel_(cancel) {}

  std::vector<Copy> run(std::uint64_t begin, std::uint64_t end) {
    position_ = begin;
    expected_ = begin / kBlockBytes;
    while (position_ < end) {
      if (!is_expected() && !roll(end)) break;
      take();
    }
    return std::move(found_);
  }

 private:
  bool is_expected() {
    if (expected_ >= index_.table().blocks.size()) return false;
    const std::uint64_t length = index_.length(expected_);
    if (length > window_.size() - position_) return false;
    const std::string_view block = window_.from(position_, length).substr(0, length);
    return strong_sum(block) == index_.table().blocks[expected_].strong;
  }

  void take() {
    const std::uint64_t length = index_.length(expected_);
    const std::uint64_t from = expected_ * kBlockBytes;
    if (!found_.empty() && found_.back().to + found_.back().size == position_ &&
        found_.back().from + found_.back().size == from)
      found_.back().size += length;
    else
      found_.push_back({from, position_, length});
    position_ += length;
    ++expected_;
  }

  // On to the next place where a block of the old file begins; false when there is none before `end`.
  bool roll(std::uint64_t end) {
    if (window_.size() < kBlockBytes || misses_ >= kMostMisses) return false;
    const std::uint64_t last = std::min(end - 1, window_.size() - kBlockBytes);
    while (position_ <= last) {
      cancel_.check();
      if (roll_over(window_.from(position_, kBlockBytes), last)) return true;
    }
    return false;
  }

  // The same within the bytes at hand; moves on by one place at least.
  bool roll_over(std::string_view bytes, std::uint64_t last) {
    const std::uint64_t places = std::min<std::uint64_t>(bytes.size() - kBlockBytes, last - position_);
    RollingSum sum(bytes.substr(0, kBlockBytes));
    for (std::uint64_t i = 0;; ++i) {
      if (index_.may_have(sum.value()) && is_block(bytes.substr(i, kBlockBytes), sum.value())) {
        position_ += i;
        return true;
      }
      if (i == places) break;
      sum.roll(bytes[i], bytes[i + kBlockBytes]);
    }
    position_ += places + 1;
    return false;
  }

  bool is_block(std::string_view bytes, std::uint32_t weak) {
    if (misses_ >= kMostMisses || !index_.has(weak)) return false;
    const auto block = index_.find(weak, strong_sum(bytes), expected_);
    if (!block) ++misses_;
    expected_ = block.value_or(expected_);
    return block.has_value();
  }

  const BlockIndex& index_;
  Window window_;
  const base::CancelToken& cancel_;
  std::uint64_t position_ = 0;
  std::size_t expected_ = 0;  // the block that comes next if nothing changed
  int misses_ = 0;
  std::vector<Copy> found_;
};

// A segment's last block reaches into the next one, whose first may reach back over it.
void append(std::vector<Copy>& all, Copy next) {
  if (!all.empty()) {
    Copy& before = all.back();
    const std::uint64_t end = before.to + before.size;
    const std::uint64_t over = end > next.to ? std::min(end - next.to, next.size) : 0;
    next = {next.from + over, next.to + over, next.size - over};
    if (next.to == end && next.from == before.from + before.size) {
      before.size += next.size;
      return;
    }
  }
  if (next.size >= kLeastCopy) all.push_back(next);
}

std::vector<Range> complement(const std::vector<Range>& ascending, std::uint64_t size) {
  std::vector<Range> gaps;
  std::uint64_t at = 0;
  for (const Range& range : ascending) {
    if (range.offset > at) gaps.push_back({at, range.offset - at});
    at = std::max(at, range.offset + range.size);
  }
  if (size > at) gaps.push_back({at, size - at});
  return gaps;
}

}  // namespace

std::vector<Copy> match_blocks(const BlockTable& old, int new_fd, std::uint64_t new_size,
                               const base::CancelToken& cancel) {
  const BlockIndex index(old);
  std::vector<std::vector<Copy>> found(new_size / kSegment + 1);
  base::on_all_cores(found.size(), cancel, [&](std::size_t i) {
    const std::uint64_t begin = i * kSegment;
    found[i] = Search(index, new_fd, new_size, cancel).run(begin, std::min(begin + kSegment, new_size));
  });
  std::vector<Copy> copies;
  for (const std::vector<Copy>& segment : found) {
    for (const Copy& copy : segment)
      append(copies, copy);
  }
  return copies;
}

Rest what_is_left(const std::vector<Copy>& copies, std::uint64_t old_size, std::uint64_t new_size) {
  std::vector<Range> from;
  std::vector<Range> to;
  for (const Copy& copy : copies) {
    from.push_back({copy.from, copy.size});
    to.push_back({copy.to, copy.size});
  }
  std::sort(from.begin(), from.end(), [](const Range& a, const Range& b) { return a.offset < b.offset; });
  return {complement(from, old_size), complement(to, new_size)};
}

void check_copies(const std::vector<Copy>& copies, std::uint64_t old_size, std::uint64_t new_size) {
  std::uint64_t at = 0;
  for (const Copy& copy : copies) {
    const bool fits = copy.from <= old_size && copy.size <= old_size - copy.from && copy.to >= at &&
                      copy.to <= new_size && copy.size <= new_size - copy.to;
    if (!fits || copy.size < kLeastCopy)
      throw Error(Code::protocol, fmt::format("copies: {} bytes from {} of {} to {} of {}", copy.size,
                                              copy.from, old_size, copy.to, new_size));
    at = copy.to + copy.size;
  }
}

}  // namespace porter::sync
