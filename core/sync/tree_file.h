#pragma once
// A tree as it lies in a file of our own: in seals and in the cache of digests (docs/formats.md, "Tree
// file"). Unlike on the wire the folders' digests are in it and a table tells where each row begins, so that
// nothing is computed again and all cores read. Whoever reads it has to know by a checksum that it is what
// was written; beyond that it is held against all rules of tree.h, and no damage does worse than an error.

#include <string_view>

#include "core/base/bytes.h"
#include "core/sync/tree.h"

namespace porter::sync {

// With stamps. The tree must be whole, canonical and sealed.
void write_tree_file(base::ByteWriter& writer, const Tree& tree);
// Throws Error(protocol) for anything but exactly one.
Tree read_tree_file(std::string_view bytes);

}  // namespace porter::sync
