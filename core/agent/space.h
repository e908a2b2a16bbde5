#pragma once
// Room on the target: what a release needs, what its file system has, and what a person can do when it does
// not fit. Space is read from the system; the rest are pure functions. Any thread.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/agent/stage.h"
#include "core/base/error.h"
#include "core/sync/tree.h"

namespace porter::agent {

struct Space {
  static constexpr std::uint64_t kNoLimit = UINT64_MAX;

  std::uint64_t free_bytes = 0;   // for the user we are
  std::uint64_t free_inodes = 0;  // kNoLimit where the file system has no fixed number of them (btrfs)
  // A file takes as many blocks as its size says: no compression.
  bool sizes_tell = false;
  // A copy never shares blocks with its original.
  bool copies_cost = false;
  std::string mount_point;  // "" when it cannot be told
};

// Of the file system of `path`, or of the nearest folder above that exists. Zeros when that cannot be asked.
Space space_at(std::string path);

// The mount point in the text of /proc/self/mountinfo that `path` is below: one of device `major:minor` if
// there is one, since later mounts hide earlier ones.
std::string mount_point_of(std::string_view mountinfo, std::string_view path, std::string_view device);

// What a release takes at least, in whole blocks; folders and links are not counted as bytes.
struct Need {
  std::uint64_t bytes = 0;
  std::uint64_t inodes = 0;
};

// How a file gets into a release.
enum class Coming : std::uint8_t {
  sent,    // over the wire
  cloned,  // from the live release
  there,   // it needs nothing any more
};
// `files` tells it for every file of the tree, in its order.
Need need_of(const sync::Tree& wanted, const std::vector<Coming>& files, Layout layout, Take take,
             const Space& space);

// Whether `need` and a margin fit.
bool fits(const Need& need, const Space& space);
// Throws Error(no_space) that says what is needed and what is there, when they do not.
void check_room(const Need& need, const Space& space, const std::string& site);

// The error itself; one of code no_space gets a hint that names the file system of `place` (a site's or a
// file's path), what is used up there, and what to free.
base::Error with_space_hint(base::Error error, const std::string& place);
// That hint. `releases`: the folder of a site's releases, "" for none.
std::string space_hint(const Space& space, const std::string& releases);

}  // namespace porter::agent
