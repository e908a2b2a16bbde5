#pragma once
// A tree as bytes (docs/formats.md, "Tree"): for the wire, for seals, for caches. Used by both ends. The
// decoder trusts nothing: no allocation before a length is checked, no recursion, and digests of folders do
// not travel but are computed again, so whatever it returns is canonical. Pure functions and values.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/bytes.h"
#include "core/sync/tree.h"

namespace porter::sync {

enum class Stamps : std::uint8_t { no, yes };

constexpr std::size_t kTreeFrame = 256U << 10U;   // bytes of an encoded tree in one frame of the wire
constexpr std::size_t kMaxTreeBytes = 1U << 30U;  // what a receiver accepts of one tree unless told otherwise

// Trees and parts of trees. The tree must be sealed (seal_digests) and canonical.
std::string encode_tree(const Tree& tree, Stamps stamps);
// Throws Error(protocol) for anything but exactly one encoded tree; with Completeness::whole also for a part.
Tree decode_tree(std::string_view bytes, Completeness completeness = Completeness::whole);

// The same bytes, piece by piece, so that no second copy of a large tree is held: while (encoder.next(piece))
// send(piece). The tree must outlive the encoder.
class TreeEncoder {
 public:
  TreeEncoder(const Tree& tree, Stamps stamps, std::size_t piece_limit = kTreeFrame);
  // Gives the next piece, never empty and at most the limit; false when all were given.
  bool next(std::string& piece);

 private:
  void encode_more();

  const Tree& tree_;
  Stamps stamps_;
  std::size_t limit_;
  std::size_t folder_ = 0;
  std::size_t entry_ = 0;
  bool in_row_ = false;
  base::ByteWriter writer_;
};

// Collects the pieces of one tree. Throws Error(protocol) as soon as they exceed the limit.
class TreeAssembler {
 public:
  explicit TreeAssembler(std::size_t limit = kMaxTreeBytes) : limit_(limit) {}
  void feed(std::string_view piece);
  // Ends it; the assembler is empty again.
  Tree finish(Completeness completeness = Completeness::whole);

 private:
  std::size_t limit_;
  std::string bytes_;
};

}  // namespace porter::sync
