#pragma once
// The source of a run, kept in its folder until everything is committed, so that a resume sends the very
// bytes that the run began with, whatever became of the source meanwhile:
//
//   trees/<checksum>   encoded composed trees (core/sync/tree_codec.h), by the checksum of the encoding
//   content/<digest>   a large file, where the file system can share its blocks
//   content/pack       the bytes of the others, one after the other, since thousands of files would cost more
//                      than they hold
//   content/index      what lies where in the pack: digest, offset, size, 48 bytes each
//
// Kept is what a target has to be sent; of what it has already, and of large files that would have to be
// copied, the source itself is asked again. Nothing of it is waited for until it is on disk: a kill loses
// nothing, a power failure of this machine may. Whoever reads kept bytes checks their digest, since both may
// have cut them short. One thread; read() from any.

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/digest.h"
#include "core/base/fd.h"
#include "core/sync/compose.h"
#include "core/sync/content_spool.h"

namespace porter::engine {

class KeptSource {
 public:
  // Reads what is there of the index. Throws Error(io).
  explicit KeptSource(const std::filesystem::path& run_folder);

  // Gives the name for load().
  std::string keep_tree(const sync::Tree& tree) const;
  // Where these bytes are from an earlier attempt of the run, whole and unspoilt.
  std::optional<sync::Content::Part> find(const base::Digest& digest);
  // What walks of this run have read is the beginning of the pack, unless there is one from an earlier
  // attempt.
  void adopt(sync::ContentSpool& spool);
  // Bytes at the end of the pack, and what it holds already. Either can be read when flush() returns.
  sync::Content::Part add(const base::Digest& digest, std::string_view bytes);
  void note(const base::Digest& digest, const sync::Content::Part& part);
  // So much waits that a flush is worth it.
  bool is_full() const;
  void flush();
  std::string read(const sync::Content::Part& part) const;
  // A whole large file, if that costs no copy.
  void keep_shared(const base::Digest& digest, int fd) const;
  // Files that were not kept are looked for in the folder `source`. Throws Error(io) for a damaged tree.
  sync::Composed load(const std::string& tree, const std::string& source) const;

 private:
  void open_pack();
  std::map<std::string, std::uintmax_t> large_files() const;

  std::filesystem::path trees_;
  std::filesystem::path contents_;
  std::string pack_file_;
  std::map<base::Digest, sync::Content::Part> packed_;  // by an earlier attempt
  base::UniqueFd pack_;          // since it is needed: written at its end, read anywhere
  std::uint64_t pack_size_ = 0;  // with what waits
  std::string waiting_;          // for the pack
  std::string waiting_index_;
};

}  // namespace porter::engine
