#pragma once
// Work on many entries of one folder after the other, without a walk from the root for each: the folder asked
// for last is held open. One thread each.

#include <optional>
#include <string>

#include "core/agent/beneath.h"

namespace porter::agent {

class HeldFolder {
 public:
  // `tree` must outlive it.
  explicit HeldFolder(const Beneath& tree) : tree_(tree) {}

  // Of the folder at `path`; -1 when it is not there. Throws like Beneath for links and mounts on the way.
  int descriptor(const std::string& path);

 private:
  const Beneath& tree_;
  std::optional<Beneath> folder_;
  std::optional<std::string> path_;
};

}  // namespace porter::agent
