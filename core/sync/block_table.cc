#include "core/sync/block_table.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>

#include "core/base/bytes.h"
#include "core/base/crew.h"
#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/sync/file_ranges.h"

namespace porter::sync {
namespace {

using base::Code;
using base::Error;

constexpr std::uint64_t kBytesOfBlock = 20;
constexpr std::uint64_t kMostBytes = 1U << 30U;
constexpr std::uint64_t kBlocksAtOnce = 4;  // what is read fits into a core's cache

std::uint64_t blocks_of(std::uint64_t size) {
  return size / kBlockBytes + (size % kBlockBytes != 0 ? 1 : 0);
}

constexpr std::uint32_t power_of_multiplier(std::size_t exponent) {
  std::uint32_t power = 1;
  for (std::uint32_t base = RollingSum::kMultiplier; exponent > 0; exponent >>= 1U, base *= base)
    if ((exponent & 1U) != 0) power *= base;
  return power;
}

void sum_up(std::string_view bytes, BlockSum* into) {
  for (; !bytes.empty(); bytes.remove_prefix(std::min<std::size_t>(bytes.size(), kBlockBytes)), ++into) {
    const std::string_view block = bytes.substr(0, kBlockBytes);
    *into = {weak_sum(block), strong_sum(block)};
  }
}

}  // namespace

StrongSum strong_sum(std::string_view bytes) {
  const XXH128_hash_t sum = XXH3_128bits(bytes.data(), bytes.size());
  return {sum.high64, sum.low64};
}

// One chain of multiplications would take four cycles a byte. Lane k sums up bytes k, k + 32, k + 64, …,
// which the compiler turns into vector instructions; the lanes are put together in the end.
std::uint32_t weak_sum(std::string_view bytes) {
  constexpr std::size_t kLanes = 32;
  constexpr std::uint32_t kStride = power_of_multiplier(kLanes);
  std::array<std::uint32_t, kLanes> lanes{};
  const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
  const std::size_t even = bytes.size() / kLanes * kLanes;
  for (std::size_t i = 0; i < even; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane)
      lanes[lane] = lanes[lane] * kStride + at[i + lane];
  }
  std::uint32_t sum = 0;
  for (const std::uint32_t lane : lanes)
    sum = sum * RollingSum::kMultiplier + lane;
  for (std::size_t i = even; i < bytes.size(); ++i)
    sum = sum * RollingSum::kMultiplier + at[i];
  return sum;
}

RollingSum::RollingSum(std::string_view first)
    : sum_(weak_sum(first)), leaving_(power_of_multiplier(first.size())) {}

BlockTable make_block_table(int fd, std::uint64_t size, const base::CancelToken& cancel) {
  BlockTable table{size, std::vector<BlockSum>(blocks_of(size))};
  constexpr std::uint64_t kStretch = kBlocksAtOnce * kBlockBytes;
  base::on_all_cores(size / kStretch + 1, cancel, [&](std::size_t i) {
    thread_local std::vector<char> buffer(kStretch);
    const std::uint64_t offset = i * kStretch;
    const auto wanted = static_cast<std::size_t>(std::min(kStretch, size - offset));
    const std::span into = std::span(buffer).first(wanted);
    if (base::read_at(fd, std::as_writable_bytes(into), offset, "block table") < wanted)
      throw Error(Code::io, fmt::format("block table: the file became shorter than its {} bytes", size));
    sum_up({buffer.data(), wanted}, table.blocks.data() + i * kBlocksAtOnce);
  });
  return table;
}

std::string encode_blocks(const BlockTable& table) {
  base::ByteWriter writer;
  for (const BlockSum& block : table.blocks)
    writer.u32(block.weak).u64(block.strong.high).u64(block.strong.low);
  return writer.take();
}

BlockTableLoader::BlockTableLoader(std::uint64_t file_size)
    : file_size_(file_size), expected_(blocks_of(file_size) * kBytesOfBlock) {
  if (expected_ > kMostBytes)
    throw Error(Code::protocol,
                fmt::format("block table: a file of {} bytes is beyond what deltas are made for", file_size));
}

void BlockTableLoader::feed(std::string_view bytes) {
  if (bytes.size() > expected_ - bytes_.size())
    throw Error(
        Code::protocol,
        fmt::format("block table: longer than the {} bytes that the file's size asks for", expected_));
  bytes_.append(bytes);
}

BlockTable BlockTableLoader::finish() {
  if (bytes_.size() != expected_)
    throw Error(Code::protocol,
                fmt::format("block table: {} bytes, the file's size asks for {}", bytes_.size(), expected_));
  BlockTable table{file_size_, std::vector<BlockSum>(blocks_of(file_size_))};
  base::ByteReader reader(bytes_, "block table");
  for (BlockSum& block : table.blocks) {
    block.weak = reader.u32();
    block.strong.high = reader.u64();
    block.strong.low = reader.u64();
  }
  return table;
}

}  // namespace porter::sync
