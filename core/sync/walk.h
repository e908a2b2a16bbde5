#pragma once
// Reads a folder from disk as a Tree. Used on both ends: on the operator's for the source, on the target for
// what a release really holds. Works relative to the descriptor it is given, never follows a symbolic link,
// and opens nothing but folders and regular files. One call uses the calling thread and a few more; calls for
// different folders may run at once.

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/cancel.h"
#include "core/base/crew.h"
#include "core/base/fd.h"
#include "core/sync/file_digest.h"
#include "core/sync/ignore.h"
#include "core/sync/tree.h"
#include "core/sync/tree_codec.h"

namespace porter::sync {

enum class ModePolicy : std::uint8_t {
  exact,      // all of 07777: what a target really has
  preserve,   // the source's, without setuid, setgid and sticky bits
  normalise,  // 0755 for folders and for files that their owner may execute, else 0644 (git's two modes)
};

enum class SpecialFiles : std::uint8_t {
  refuse,  // sockets, pipes and devices end the walk with an error that lists them, each with its kind
  skip,    // left out: as asked, or, on a target, since the running application may have made them
};

struct WalkOptions {
  const IgnoreRules* ignore = nullptr;  // null: nothing is ignored
  Identity identity = Identity::content_only;
  Keeps keeps;
  ModePolicy modes = ModePolicy::exact;
  SpecialFiles special = SpecialFiles::refuse;
  Stamps stamps = Stamps::no;  // fill in Entry::stamp
  // An earlier walk of the same folder with stamps: a file whose stamp is still the same is not read again.
  const Tree* known = nullptr;
  TakeContent take;  // is given what had to be read, by several threads at once
  // Folders (by path) whose entries are left out together with themselves, whatever the ignore rules say:
  // `.porter`.
  std::vector<std::string> without;
  int threads = base::Crew::usual_threads();
  base::CancelToken cancel;
};

struct WalkCounts {
  std::uint64_t files_hashed = 0;
  std::uint64_t bytes_hashed = 0;
  std::uint64_t files_trusted = 0;  // by their stamp
};

// The sealed, canonical tree of the folder `root_fd`. `subject` names the folder in messages. A file that
// changes while it is read is read again, up to three times in all, then Error(io) names it; one that
// vanishes is left out. Throws Error(refused) for special files and for paths beyond the limits of tree.h,
// Error(io), and Interrupted.
//
// Clocks of file systems tick in steps of up to 20 ms, so that a change right after another may leave the
// same time behind. Files changed within the last 20 ms are therefore read last, after one wait of that
// length, and a stamp is only recorded when the last change lies further back than that: a later change then
// always shows. A file whose time lies in the future gets no stamp, and is read again every time.
Tree walk(int root_fd, const std::string& subject, const WalkOptions& options, WalkCounts* counts = nullptr);

// The folder at a path, open. Throws Error(missing) when it does not exist.
base::UniqueFd open_root(const std::string& folder);
// Opens the folder and walks it.
Tree walk_folder(const std::string& folder, const WalkOptions& options, WalkCounts* counts = nullptr);

}  // namespace porter::sync
