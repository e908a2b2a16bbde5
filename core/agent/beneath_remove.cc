// Removing a whole tree without recursion and with three descriptors, however deep it is.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "core/agent/beneath.h"
#include "core/base/error.h"

namespace porter::agent {
namespace {

// Folders below are renamed up into the top one as they are met, so every folder worked on is an entry of
// the top folder: no path ever grows, and every call names one component of a held folder.
class Flattener {
 public:
  explicit Flattener(const Beneath& top) : top_(top) {}

  void run() {
    for (bool found = true; found;) {
      found = false;
      for (const FolderEntry& entry : top_.list()) {
        found = true;
        if (entry.kind == EntryKind::folder)
          empty_folder(entry.name);
        else
          top_.remove_file(entry.name);
      }
    }
  }

 private:
  void empty_folder(const std::string& name) {
    // Folders without "w" or "x" for their owner are ours to remove all the same.
    top_.set_mode(name, 0700);
    const Beneath folder = top_.folder(name);
    for (const FolderEntry& entry : folder.list()) {
      if (entry.kind == EntryKind::folder)
        lift(folder, entry.name);
      else
        folder.remove_file(entry.name);
    }
    top_.remove_folder(name);
  }

  void lift(const Beneath& folder, const std::string& name) {
    // A folder that its owner may not write cannot be moved: its ".." would change.
    folder.set_mode(name, 0700);
    for (;;) {
      const std::string free = fmt::format("{}", counter_++);
      if (::renameat(folder.descriptor(), name.c_str(), top_.descriptor(), free.c_str()) == 0) return;
      const bool taken = errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR;
      if (!taken) throw base::system_error(folder.label(name), errno);
    }
  }

  const Beneath& top_;
  std::uint64_t counter_ = 0;
};

}  // namespace

void Beneath::remove_all(std::string_view path) const {
  const std::optional<struct stat> info = look(path);
  if (!info) return;
  if (!S_ISDIR(info->st_mode)) {
    remove_file(path);
    return;
  }
  set_mode(path, 0700);
  Flattener(folder(path)).run();
  if (!remove_folder(path)) fail(path, ENOTEMPTY);
}

}  // namespace porter::agent
