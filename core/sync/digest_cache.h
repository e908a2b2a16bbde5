#pragma once
// What earlier walks of folders found, kept between runs, so that a file that did not change is looked at and
// not read, as git's index does it. A digest is trusted only while inode, size, mtime and ctime are what they
// were, and is only recorded when a later change is bound to show in these (walk.h). A cache that is damaged,
// of another folder or of another version is as good as none; whatever it says, the receiver of a file
// compares content and digest, so that a wrong one can end a deploy and never make a wrong tree. Used on the
// operator's side; several processes may use one folder at once.

#include <filesystem>
#include <string>

#include "core/sync/walk.h"

namespace porter::sync {

class DigestCache {
 public:
  // `folder` is made, private to the user, when there is something to keep.
  explicit DigestCache(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // walk_folder() that reads only what changed. Files have stamps where these prove something. What cannot be
  // kept costs time later and is no error.
  Tree walk(const std::string& source, WalkOptions options, WalkCounts* counts = nullptr) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace porter::sync
