#pragma once
// The source of a run, kept in its folder until everything is committed, so that a resume sends the very
// bytes that the run began with, whatever became of the source meanwhile:
//
//   trees/<sha256>     encoded composed trees (core/sync/tree_codec.h), by the digest of the encoding
//   content/<sha256>   bytes of their files
//
// Kept is what a target has to be sent; of what it has already (keep.h decides) the source itself is asked
// again. Files under a final name are whole, unless the power failed: whoever reads one checks its digest.
// Any thread.

#include <filesystem>
#include <string>

#include "core/base/cancel.h"
#include "core/base/digest.h"
#include "core/sync/compose.h"

namespace porter::engine {

class KeptSource {
 public:
  explicit KeptSource(const std::filesystem::path& run_folder)
      : trees_(run_folder / "trees"), contents_(run_folder / "content") {}

  // Gives the name for load(). On disk when it returns.
  std::string keep_tree(const sync::Tree& tree) const;
  // Throws Error(source) when the content is not, or no longer, that of the digest.
  void keep_file(const base::Digest& digest, const sync::Content& content,
                 const base::CancelToken& cancel) const;
  // Files that were not kept are looked for in the folder `source`. Throws Error(io) for a damaged tree.
  sync::Composed load(const std::string& tree, const std::string& source) const;

 private:
  std::filesystem::path trees_;
  std::filesystem::path contents_;
};

}  // namespace porter::engine
