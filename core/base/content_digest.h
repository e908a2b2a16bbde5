#pragma once
// The digest of a file's content: the one that trees, seals, caches and the wire compare.
//
// Below kLeavesFrom bytes it is the SHA-256 of the bytes. From there on one core would be the slowest part of
// a deploy (about 1.3 GB/s, once on each end), so it is made of leaves that all cores work on:
//
//   leaf(i)  = SHA-256 of the bytes [i × 1 MiB, (i + 1) × 1 MiB), the last one shorter
//   digest   = SHA-256("porter leaves\n", size as 8 bytes, big-endian, leaf(0), leaf(1), …) XOR 0xA5 in each
//   byte
//
// XOR, so that a small file which holds just these bytes has another digest: for two contents with one digest
// somebody must find colliding SHA-256 sums, or two that differ in that very pattern, which is as hard.
//
// Downside: for large files it is not what sha256sum prints.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/cancel.h"
#include "core/base/digest.h"

namespace porter::base {

// A leaf is long enough that its share of the second SHA-256 is nothing and short enough that a few MiB keep
// four cores busy. Below four of them threads cost more than they save.
inline constexpr std::uint64_t kLeafBytes = std::uint64_t{1} << 20U;
inline constexpr std::uint64_t kLeavesFrom = 4 * kLeafBytes;

// Of bytes in memory.
Digest content_digest(std::string_view bytes);
// Of the first `size` bytes of a file, on all cores when that pays; its position does not matter and stays.
// Nothing when the file ends before. Throws Error(io), and Interrupted when `cancel`, if there is one, comes.
// Any thread.
std::optional<Digest> content_digest(int fd, std::uint64_t size, const CancelToken* cancel = nullptr);

// Of a file that is being made, whose leaves may be read as soon as they are complete.
class LeafDigests {
 public:
  explicit LeafDigests(std::uint64_t size);
  // None for a content that is not made of leaves.
  std::size_t count() const { return leaves_.size(); }
  // Different leaves by different threads, before finish(). Errors as content_digest().
  void read(int fd, std::size_t leaf, const CancelToken* cancel = nullptr);
  // Reads those that were not read yet. Nothing when the file ends early.
  std::optional<Digest> finish(int fd, const CancelToken* cancel = nullptr);

 private:
  std::uint64_t size_;
  std::vector<std::optional<Digest>> leaves_;
};

// Of bytes that come one after the other, `size` in all. One thread at a time.
class ContentHash {
 public:
  explicit ContentHash(std::uint64_t size);
  ContentHash& update(std::span<const std::byte> bytes);
  // Ends the computation, after exactly `size` bytes; the object must not be used again.
  Digest finish();

 private:
  void end_leaf();

  std::uint64_t in_leaf_ = 0;
  Sha256 hash_;                 // of the content, or of the leaf at hand
  std::optional<Sha256> root_;  // of the leaves
};

}  // namespace porter::base
