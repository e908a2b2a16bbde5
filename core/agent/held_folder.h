#pragma once
// Work on many entries of one folder after the other, without a walk from the root for each: the folder asked
// for last is held open, and so are those above it, from which the next one is mostly a step away. One thread
// each.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/agent/beneath.h"

namespace porter::agent {

class HeldFolder {
 public:
  // `tree` must outlive it.
  explicit HeldFolder(const Beneath& tree) : tree_(tree) {}

  // The folder at `path`, until the next call; null when it is not there. Throws like Beneath for links and
  // mounts on the way.
  const Beneath* folder(const std::string& path);
  // The same folder's; -1 when it is not there.
  int descriptor(const std::string& path);

 private:
  struct Held {
    std::string path;
    Beneath folder;
  };

  const Beneath& tree_;
  std::vector<Held> held_;  // each below the one before
};

// Does work() for each of these folders on all cores; everybody who works holds folders of their own. Throws
// the first exception of any; what is not begun is dropped then.
void on_folders(const Beneath& tree, std::span<const std::uint32_t> folders,
                const std::function<void(HeldFolder& held, std::uint32_t folder)>& work);

}  // namespace porter::agent
