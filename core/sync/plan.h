#pragma once
// Decides what has to happen to turn a base into the wanted tree. Pure: touches nothing, and both ends would
// decide the same. Used by the endpoint to know what to send, by `plan` to show it, and by the agent's side
// to know what to clone.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/sync/tree.h"

namespace porter::sync {

enum class Action : std::uint8_t {
  same,   // base has the very file at this path
  clone,  // base has the content: at this path with other metadata, or at another path
  whole,  // the content is sent
  delta,  // the difference to base's file at this path is sent
};

enum class Why : std::uint8_t {
  equal,       // same
  metadata,    // clone: mode, mtime or extra differs
  moved,       // clone: another path of the base holds this content
  absent,      // whole: base has nothing at this path
  other_kind,  // whole: base has a folder or a link there
  small,       // whole: content differs, too small for a delta to pay
  content,     // delta: content differs
};

// A file of the base.
struct Basis {
  std::string path;
  std::uint64_t size = 0;
  base::Digest digest{};  // what the base says that it holds
};

struct FileStep {
  EntryRef wanted;
  Action action = Action::same;
  Why why = Why::equal;
  // Of a delta, and of a clone from another path; null: what is at its own path, or nothing.
  std::shared_ptr<const Basis> from;
};

struct Removal {
  std::string path;
  Kind kind = Kind::file;
};

struct PlanTotals {
  std::uint64_t files_same = 0, bytes_same = 0;  // with those of same_folders
  std::uint64_t files_cloned = 0, bytes_cloned = 0;
  std::uint64_t files_whole = 0, bytes_whole = 0;
  std::uint64_t files_delta = 0, bytes_delta = 0;  // sizes of the new files: the most that deltas may cost
  std::uint64_t links = 0, folders = 0;            // to make or to change
  std::uint64_t removed = 0;                       // files and links
  std::uint64_t base_files = 0;                    // files and links of the base, as far as it is known
};

struct PlanOptions {
  // Deltas are worth an exchange only when both sides are larger than this.
  std::uint64_t delta_floor = 64U << 10U;
};

struct SyncPlan {
  std::vector<std::uint32_t> same_folders;  // of wanted: equal to the base's with all below; topmost only
  std::vector<FileStep> files;              // all other files of wanted, in its order
  std::vector<std::uint32_t> make_folders;  // of wanted: base has none there; parents first
  std::vector<std::uint32_t> set_folders;   // of wanted: base has it with another mode, mtime or extra
  std::vector<EntryRef> make_links;         // of wanted: absent in base, or leading elsewhere
  std::vector<Removal> removals;  // of base, absent in wanted or of another kind there; children first
  PlanTotals totals;

  // Whether there is nothing at all to do.
  bool empty() const;
};

// `wanted` is whole. `base` may be a part (make_part): folders that it lacks must have the digest of wanted's
// folder at the same path, else Error(protocol). No base at all is a tree with an empty root. Both sealed
// with the same kind of identity and keeping the same (a whole tree can be sealed anew with the other one).
// With content_only a file or folder whose mtime alone differs is the same.
SyncPlan make_plan(const Tree& wanted, const Tree& base, const PlanOptions& options = {});

// One sentence on what happens at `path` and why: "app.js: sent as a delta: the content differs (base 1.2
// MiB, wanted 1.3 MiB)". For a path in neither tree it says so.
std::string explain(const SyncPlan& plan, const Tree& wanted, const Tree& base, std::string_view path);

}  // namespace porter::sync
