#pragma once
// The source of a run, kept in its folder until everything is committed, so that a resume sends the very
// bytes that the run began with, whatever became of the source meanwhile:
//
//   trees/<sha256>     encoded composed trees (core/sync/tree_codec.h), by the digest of the encoding
//   content/<sha256>   the bytes of a large file
//   content/pack       the bytes of small ones, one after the other, since thousands of files would cost more
//                      than they hold
//   content/index      what lies where in the pack: digest, offset, size, 48 bytes each
//
// Kept is what a target has to be sent; of what it has already (keep.h decides) the source itself is asked
// again. Whoever reads kept bytes checks their digest: a kill or a power failure may have cut them short. One
// thread.

#include <filesystem>
#include <map>
#include <string>

#include "core/base/cancel.h"
#include "core/base/digest.h"
#include "core/sync/compose.h"

namespace porter::engine {

class KeptSource {
 public:
  // Of files up to this size many go into one pack.
  static constexpr std::uint64_t kSmall = 64U << 10U;

  // Reads what is there of the index. Throws Error(io).
  explicit KeptSource(const std::filesystem::path& run_folder);

  // Gives the name for load(). On disk when it returns.
  std::string keep_tree(const sync::Tree& tree) const;
  // Written when flush() returns. Throws Error(source) when the content is not, or no longer, that of the
  // digest.
  void keep_file(const base::Digest& digest, std::uint64_t size, const sync::Content& content,
                 const base::CancelToken& cancel);
  void flush();
  // Files that were not kept are looked for in the folder `source`. Throws Error(io) for a damaged tree.
  sync::Composed load(const std::string& tree, const std::string& source) const;

 private:
  void pack(const base::Digest& digest, const sync::Content& content);
  sync::Content packed(const sync::Content::Part& part) const;
  std::map<std::string, std::uintmax_t> large_files() const;

  std::filesystem::path trees_;
  std::filesystem::path contents_;
  std::map<base::Digest, sync::Content::Part> packed_;
  std::uint64_t pack_size_ = 0;  // with what waits
  std::string waiting_;          // for the pack
  std::string waiting_index_;
};

}  // namespace porter::engine
