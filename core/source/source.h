#pragma once
// Where a module's files come from: one Source per module and run, made from the module's `[scm] url` and the
// ref that `--release` chose. pin() says which commit a deploy would take, checkout() provides the files.
// Used by the engine on the operator's side; a Source is used by one thread at a time, different Sources at
// once (also of the same url, also in different processes) do not disturb each other.
//
// Urls (source_url.h has the exact rules):
//   user@host:path  ssh://…  https://….git  git://git@host:path  git://host/path  git+file://…  git+https://…
//                         a git repository
//   file://FOLDER         a plain folder, absolute or relative to the module's folder
//   none://               no files, only a version
//   (nothing)             the module's src/ folder, or else its repo/ folder

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "core/base/cancel.h"

namespace porter::source {

class FolderLock;

enum class RefKind {
  default_ref,  // nothing chosen: a repository's default branch, a folder as it is
  branch,
  tag,
  version,  // none:// shows it; git takes the tag of this name, or else the one with a "v" before it
  commit,   // a full commit id, or an unambiguous beginning of at least 7 digits
};

struct SourceRequest {
  std::string url;
  std::filesystem::path module_folder;  // absolute
  RefKind kind = RefKind::default_ref;
  std::string ref;                     // "" for default_ref
  std::filesystem::path cache_folder;  // absolute; made when needed, private to the user
  std::string module_name;
};

struct Checkout {
  enum class Identity {
    git_like,      // mtimes are no part of identity, modes are normalised to 0644 and 0755
    plain_folder,  // mtimes and modes count as they are
  };

  std::filesystem::path tree;    // the folder whose content is to be deployed; empty for none://
  std::string commit;            // full id; "" when the source has none
  std::string version;           // what people see: "1a2b3c4d (branch release/0.1.2)"
  std::int64_t commit_time = 0;  // unix seconds; 0 when there is none
  Identity identity = Identity::plain_folder;
  bool is_private_copy = false;  // ours: a build may run there, a handler may change files
  std::shared_ptr<const FolderLock>
      hold;  // keeps other runs out of `tree` while any copy of this value lives
};

class Source {
 public:
  virtual ~Source() = default;

  // The commit that checkout() will provide, without providing it; "" when the source has no commits. Asks
  // the remote once: later calls, and checkout(), give the same commit. Throws Error(missing) for an unknown
  // branch, tag or commit, naming the known ones, Error(source) when the remote cannot be read, and
  // Interrupted.
  virtual std::string pin(const base::CancelToken& cancel) = 0;

  // The files of that commit, exactly: whatever an earlier run, build or crash left there is gone. Throws as
  // pin().
  virtual Checkout checkout(const base::CancelToken& cancel) = 0;
};

// Touches neither disk nor network, except to look which default folder a module has. Throws Error(bad_value)
// for an url or ref that is malformed or dangerous, Error(unsupported) for a scheme that is only known by
// name, and Error(missing) for a module without files.
std::unique_ptr<Source> make_source(const SourceRequest& request);

// What a copy keeps beside content, modes, mtimes and symlinks.
struct Kept {
  bool owners = false;
  bool attributes = false;  // extended ones
};

// A copy of a checkout in `target` (made, or emptied first), for builds and handlers that change a plain
// folder's files. Devices, sockets and pipes are left out: whether the source may hold them is said when it
// is walked. An empty tree gives an empty folder. Throws Error(io), also for an owner who cannot be kept, and
// Interrupted.
Checkout make_private(const Checkout& checkout, const std::filesystem::path& target,
                      const base::CancelToken& cancel, Kept kept = {});

}  // namespace porter::source
