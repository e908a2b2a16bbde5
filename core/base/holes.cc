#include "core/base/holes.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/error.h"
#include "core/base/fd.h"

namespace porter::base {
namespace {

constexpr std::size_t kBlock = 4096;  // the least that file systems leave out

bool is_zeros(std::span<const std::byte> bytes) {
  // Each byte is the one before it, and the first is zero.
  return bytes[0] == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

// Up to the next border between blocks.
std::size_t first_block(std::span<const std::byte> bytes, std::uint64_t offset) {
  return std::min<std::size_t>(bytes.size(), kBlock - static_cast<std::size_t>(offset % kBlock));
}

}  // namespace

std::optional<Data> next_data(int fd, std::uint64_t offset, std::uint64_t end) {
  if (offset >= end) return std::nullopt;
  const off_t data = ::lseek(fd, static_cast<off_t>(offset), SEEK_DATA);
  if (data < 0 && errno == ENXIO) return std::nullopt;
  const off_t hole = data < 0 ? -1 : ::lseek(fd, data, SEEK_HOLE);
  if (hole < 0) return Data{offset, end - offset};
  const auto from = static_cast<std::uint64_t>(data);
  if (from >= end) return std::nullopt;
  return Data{from, std::min(static_cast<std::uint64_t>(hole), end) - from};
}

void write_with_holes(int fd, std::span<const std::byte> bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    std::size_t written = 0;  // the blocks up to the next one of zeros
    std::size_t block = first_block(bytes, offset);
    while (written < bytes.size() && !(block == kBlock && is_zeros(bytes.subspan(written, block)))) {
      written += block;
      block = std::min(kBlock, bytes.size() - written);
    }
    write_at(fd, bytes.first(written), offset);
    const std::size_t skipped = written < bytes.size() ? block : 0;
    bytes = bytes.subspan(written + skipped);
    offset += written + skipped;
  }
}

}  // namespace porter::base
