#pragma once
// What stands at a path outside of the sites: a file, a link, or nothing. Such paths are absolute and reached
// as the user that the agent runs as, with links in the folders above followed as the user made them; the
// last name itself is never followed. Kept content lies in a folder of ours. One thread.

#include <cstdint>
#include <string>

#include "core/agent/beneath.h"

namespace porter::agent {

enum class OccupantKind : std::uint8_t { absent, file, link };

struct Occupant {
  static constexpr std::int64_t kAnyOwner = -1;

  OccupantKind kind = OccupantKind::absent;
  // Of files:
  std::uint32_t mode = 0;
  std::int64_t uid = kAnyOwner;  // kAnyOwner: whoever owns what is there, else we
  std::int64_t gid = kAnyOwner;
  std::int64_t mtime_ns = 0;  // 0: the time of writing
  std::string target;         // of links
};

// Where a content is that belongs to an occupant: a file `name` of `folder`.
struct KeptContent {
  const Beneath& folder;
  std::string name;
  bool given_up = false;  // nobody needs it afterwards: it may become the occupant itself
};

// Throws Error(refused) for a folder and for anything else that cannot be kept and put back.
Occupant look_at(const std::string& path);
// The same; a file's content is then in `to`, which is replaced, and on disk with `sync`.
Occupant keep_occupant(const std::string& path, const KeptContent& to, bool sync);

// Throws Error(io) unless a link is at `path`.
std::string target_of_link(const std::string& path);

// `asked`, or for 0 the mode of what is at `path` (of what a link leads to), 0644 when nothing is.
std::uint32_t mode_for(const std::string& path, std::uint32_t asked);

// The topmost folder on the way to `path` that is not there; "" when all are.
std::string first_missing_folder(const std::string& path);

// Makes `wanted` stand at `path` in one step, by way of the name `temporary` beside it, which is gone
// afterwards. Folders above are made. An owner is given as far as we may. With `sync` all of it is on disk
// when it returns. May be repeated. Throws Error(refused) when a folder is there.
void put_occupant(const std::string& path, const Occupant& wanted, const KeptContent& content,
                  const std::string& temporary, bool sync);

// Removes the folders above `path` from the innermost up to `made`, as far as they are empty.
void remove_made_folders(const std::string& path, const std::string& made);

}  // namespace porter::agent
