#pragma once
// How a tree on disk differs from its seal. Reads only; needs no lock; nothing in it recurses, whatever the
// depth. Used by Site; one thread a call.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/agent/beneath.h"
#include "core/protocol/values.h"
#include "core/sync/ignore.h"
#include "core/sync/tree.h"

namespace porter::agent {

// Entries of ours only: files nobody listed do not count.
struct Drift {
  std::uint64_t changed = 0;
  std::uint64_t missing = 0;
  std::vector<std::string> examples;  // paths, at most 20
  bool any() const { return changed + missing > 0; }
};

enum class Hash : std::uint8_t {
  in_doubt,  // files whose stamp is another than was sealed, and of which nothing else differs
  touched,   // all whose stamp is another
  every_file,
};
// Whether entries that the seal does not list are told, too.
enum class Unlisted : std::uint8_t { skip, tell };

// Gives each difference, folder by folder in the seal's order; what matches `generated` is left out. `tree`
// is null when the whole tree is gone. An unlisted folder is one difference, its path ends in '/'.
void for_each_difference(const Beneath* tree, const sync::Tree& sealed, const sync::IgnoreRules& generated,
                         Hash hash, Unlisted unlisted, const std::function<void(protocol::Difference)>& give);

Drift find_drift(const Beneath* tree, const sync::Tree& sealed, const sync::IgnoreRules& generated);

}  // namespace porter::agent
