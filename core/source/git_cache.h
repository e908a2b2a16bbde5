#pragma once
// Our own copy of one remote repository: bare, with all branches and tags, in a folder of the cache that is
// named by the url's SHA-256, so that it serves every module and run with that url and is never a clone of
// the user's. What is broken there (a fetch that was killed, a damaged object) is fetched again from the
// beginning.
//
//   <cache>/git/<key>/lock         held while the repository is read by git or written
//   <cache>/git/<key>/repository   the bare repository
//   <cache>/git/<key>/trees/       working trees (git_tree.h)
//
// Used by GitSource; one thread at a time each, several at once (also in other processes) through lock().

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/cancel.h"
#include "core/source/folder_lock.h"
#include "core/source/git_command.h"
#include "core/source/git_refs.h"

namespace porter::source {

class GitCache {
 public:
  GitCache(const std::filesystem::path& cache_folder, std::string url);

  // Waits for the right to touch the repository; everything below but list_remote() requires it.
  FolderLock lock(const base::CancelToken& cancel) const;

  // Asks the remote; leaves the cache alone. Throws Error(source) when the remote cannot be read.
  RemoteRefs list_remote(const base::CancelToken& cancel) const;

  bool has_commit(const std::string& id, const base::CancelToken& cancel) const;
  // The full id for the beginning of one, when the cache knows exactly one.
  std::optional<std::string> complete_commit_id(const std::string& start,
                                                const base::CancelToken& cancel) const;

  // Gets all branches and tags; those gone from the remote go here too. `id_length` (40 or 64) tells the kind
  // of repository. Repairs. Throws Error(source).
  void fetch(std::size_t id_length, const base::CancelToken& cancel) const;
  // Asks for a commit that no branch or tag leads to; not every server gives it. has_commit() tells the
  // outcome.
  void fetch_commit(const std::string& id, const base::CancelToken& cancel) const;

  // Whether all objects are there and whole; slow.
  bool is_sound(const base::CancelToken& cancel) const;
  void remove() const;

  const std::string& url() const { return url_; }
  // The url as it may be shown.
  const std::string& name() const { return name_; }
  std::filesystem::path repository() const { return folder_ / "repository"; }
  std::filesystem::path trees() const { return folder_ / "trees"; }
  GitCommand::LocalRepositories local_repositories() const;

  // A copy of the text in which the url's password, if it has one, cannot be read.
  std::string masked(std::string text) const;

 private:
  GitCommand command(std::vector<std::string> arguments) const;
  void create(std::size_t id_length, const base::CancelToken& cancel) const;
  base::CommandResult fetch_all(const base::CancelToken& cancel) const;

  std::filesystem::path folder_;
  std::string url_;
  std::string name_;
};

}  // namespace porter::source
