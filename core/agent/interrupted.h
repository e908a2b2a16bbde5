#pragma once
// What sends that were interrupted have left: material for the next stage of the site, which is then sent
// what is missing and not everything. Nothing about it is trusted: contents count by their digests alone, and
// are read anew for each stage, since what was never sealed may hold anything after a power failure.
//
// On disk: .porter/interrupted/<number>/ is the tree of a stage, .porter/interrupted/begun/<digest> a large
// file that is arriving, named after what it is to become. Both belong to the last send: the next one takes
// what it wants, and removes the rest before it receives anything. Its end, a commit, and a release that does
// not fit remove all of it. The lock is held.

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/agent/site_folders.h"
#include "core/base/cancel.h"
#include "core/base/digest.h"
#include "core/sync/tree.h"

namespace porter::agent {

// Puts the tree of the stage `id`, which is marked and unsealed, aside; what else belongs to it stays. Does
// nothing for an empty one, nor on a full disk, where the room counts more.
void keep_interrupted(const SiteFolders& site, const std::string& id);
// Removes all that there is.
void drop_interrupted(const SiteFolders& site);

// A large file on its way in, made anew where it is until it is complete; and one that was left there.
base::UniqueFd begin_large_file(const SiteFolders& site, const base::Digest& wanted);
std::optional<base::UniqueFd> open_begun(const SiteFolders& site, const base::Digest& wanted);
// Moves it to its place; false with errno.
bool end_large_file(const SiteFolders& site, const base::Digest& wanted, int folder, const char* name);

class InterruptedSend {
 public:
  InterruptedSend() = default;
  // Reads all files, on all cores, for a tree that keeps `keeps`: what a file has of owner and attributes
  // that such a tree would not settle leaves it out, and so does what cannot be read. Throws Interrupted when
  // `stop` comes.
  InterruptedSend(std::shared_ptr<const SiteFolders> site, sync::Keeps keeps, const base::CancelToken& stop);

  // Whether a send has left anything, of use or not.
  bool any() const { return tree_.has_value(); }
  // The contents that `tree` does not have, each as often as it is there.
  std::vector<base::Digest> beyond(const sync::Tree& tree) const;
  // What large files that were begun were to become.
  const std::unordered_set<base::Digest, base::DigestHash>& begun() const { return begun_; }
  // What `tree` has is not taken from here.
  void leave_out(const sync::Tree& tree);
  bool has(const base::Digest& content) const { return files_.contains(content); }

  // Moves a file with that content, which nobody else has a name for, to `name` in `folder`, and gives it.
  // Nothing when there is none (any more).
  base::UniqueFd take(const base::Digest& content, int folder, const char* name);
  // Removes what was not taken, but for these of the begun ones.
  void drop_all_but(const std::unordered_set<base::Digest, base::DigestHash>& begun);

 private:
  struct File {
    std::string path;
    sync::Stamp stamp;
  };
  class Reader;

  std::shared_ptr<const SiteFolders> site_;
  std::optional<Beneath> tree_;
  std::unordered_multimap<base::Digest, File, base::DigestHash> files_;
  std::unordered_set<base::Digest, base::DigestHash> begun_;
};

}  // namespace porter::agent
