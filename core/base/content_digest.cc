#include "core/base/content_digest.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <vector>

#include "core/base/crew.h"
#include "core/base/fd.h"

namespace porter::base {
namespace {

constexpr std::string_view kTag = "porter leaves\n";
constexpr std::uint8_t kPattern = 0xA5;
constexpr std::size_t kBuffer = 256U << 10U;

Sha256 begin_root(std::uint64_t size) {
  std::array<std::uint8_t, 8> big_endian{};
  for (std::size_t i = 0; i < big_endian.size(); ++i)
    big_endian[i] = static_cast<std::uint8_t>(size >> (56 - 8 * i));
  Sha256 root;
  root.update(kTag).update(std::as_bytes(std::span(big_endian)));
  return root;
}

void add_leaf(Sha256& root, const Digest& leaf) {
  root.update(std::as_bytes(std::span(leaf)));
}

Digest end_root(Sha256& root) {
  Digest digest = root.finish();
  for (std::uint8_t& byte : digest)
    byte ^= kPattern;
  return digest;
}

// Of one stretch of a file; nothing when the file ends in it.
std::optional<Digest> sha256_at(int fd, std::uint64_t offset, std::uint64_t size, const CancelToken* cancel) {
  // Kept: clearing a fresh one would cost more than reading a small file.
  thread_local std::vector<std::byte> buffer(kBuffer);
  Sha256 hash;
  while (size > 0) {
    if (cancel != nullptr) cancel->check();
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(size, buffer.size()));
    const std::size_t got = read_at(fd, std::span(buffer).first(wanted), offset);
    if (got == 0) return std::nullopt;
    hash.update(std::span(buffer).first(got));
    offset += got;
    size -= got;
  }
  return hash.finish();
}

}  // namespace

Digest content_digest(std::string_view bytes) {
  return ContentHash(bytes.size()).update(std::as_bytes(std::span(bytes.data(), bytes.size()))).finish();
}

std::optional<Digest> content_digest(int fd, std::uint64_t size, const CancelToken* cancel) {
  return LeafDigests(size).finish(fd, cancel);
}

LeafDigests::LeafDigests(std::uint64_t size) : size_(size) {
  if (size >= kLeavesFrom) leaves_.resize((size + kLeafBytes - 1) / kLeafBytes);
}

void LeafDigests::read(int fd, std::size_t leaf, const CancelToken* cancel) {
  const std::uint64_t offset = leaf * kLeafBytes;
  leaves_[leaf] = sha256_at(fd, offset, std::min(kLeafBytes, size_ - offset), cancel);
}

std::optional<Digest> LeafDigests::finish(int fd, const CancelToken* cancel) {
  if (leaves_.empty()) return sha256_at(fd, 0, size_, cancel);
  std::atomic<bool> whole{true};
  on_all_cores(leaves_.size(), cancel == nullptr ? CancelToken() : *cancel, [&](std::size_t i) {
    if (whole && !leaves_[i]) read(fd, i, cancel);
    if (!leaves_[i]) whole = false;
  });
  if (!whole) return std::nullopt;
  Sha256 root = begin_root(size_);
  for (const auto& leaf : leaves_)
    add_leaf(root, *leaf);
  return end_root(root);
}

ContentHash::ContentHash(std::uint64_t size) {
  if (size >= kLeavesFrom) root_ = begin_root(size);
}

ContentHash& ContentHash::update(std::span<const std::byte> bytes) {
  if (!root_) {
    hash_.update(bytes);
    return *this;
  }
  while (!bytes.empty()) {
    const auto room = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), kLeafBytes - in_leaf_));
    hash_.update(bytes.first(room));
    in_leaf_ += room;
    bytes = bytes.subspan(room);
    if (in_leaf_ == kLeafBytes) end_leaf();
  }
  return *this;
}

void ContentHash::end_leaf() {
  add_leaf(*root_, hash_.finish());
  hash_ = Sha256();
  in_leaf_ = 0;
}

Digest ContentHash::finish() {
  if (!root_) return hash_.finish();
  if (in_leaf_ > 0) end_leaf();
  return end_root(*root_);
}

}  // namespace porter::base
