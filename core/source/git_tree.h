#pragma once
// One working tree of a cached repository, kept from run to run so that a new commit only touches what
// differs, and clean at each run. It has its own index and borrows the cache's objects. While a GitTree (or
// its hold()) lives, no other run gets the same one: a second deploy of the module at the same time works in
// a tree of its own.
//
//   <trees>/<name>-<number>.lock   <trees>/<name>-<number>/git   <trees>/<name>-<number>/tree
//
// `git` stands beside the tree, so no .git lies in it (submodules have their small .git file). Used by
// GitSource with the cache's lock held; one thread at a time.

#include <filesystem>
#include <memory>
#include <string>

#include "core/base/cancel.h"
#include "core/source/folder_lock.h"
#include "core/source/git_cache.h"

namespace porter::source {

class GitTree {
 public:
  // The first free tree called `name`.
  static GitTree claim(const GitCache& cache, const std::string& name);

  // Makes the tree exactly the commit's, submodules included. Throws Error(source).
  void fill(const std::string& commit, const base::CancelToken& cancel) const;
  // Forgets everything; the next fill() begins anew.
  void remove() const;

  std::filesystem::path tree() const { return folder_ / "tree"; }
  std::shared_ptr<const FolderLock> hold() const { return lock_; }

 private:
  GitTree(const GitCache& cache, std::filesystem::path folder, FolderLock lock);
  void create(std::size_t id_length, const base::CancelToken& cancel) const;
  void fill_submodules(const base::CancelToken& cancel) const;
  GitCommand command(std::vector<std::string> arguments) const;

  GitCache cache_;
  std::filesystem::path folder_;
  std::shared_ptr<const FolderLock> lock_;
};

}  // namespace porter::source
