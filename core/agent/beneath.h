#pragma once
// Work below one held folder that no symbolic link can lead out of: every path is resolved by the kernel from
// a held descriptor with openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS), or, on
// kernels without it, component by component with O_NOFOLLOW. All the agent does to a site's files goes
// through here.
//
// Paths are relative, without "..", "." or empty components; "" is the folder itself. A link on the way is
// Error(refused), everything else Error(io) or Error(no_space), with the path in the message. A Beneath may
// be used by several threads at once.

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/attributes.h"
#include "core/base/fd.h"

namespace porter::agent {

// How an entry of a folder presents itself, without following links.
enum class EntryKind : std::uint8_t { folder, file, link, other };

struct FolderEntry {
  std::string name;
  EntryKind kind = EntryKind::other;
};

enum class Replace : std::uint8_t { no, yes };

class Beneath {
 public:
  // Opens the folder at an absolute path; links above and at the folder itself are followed, as the user
  // configured them. open throws, try_open gives nothing when there is no such folder.
  static Beneath open(const std::string& path);
  static std::optional<Beneath> try_open(const std::string& path);

  int descriptor() const { return fd_.get(); }
  // The absolute path it was opened by, for messages only; with a relative path appended.
  const std::string& label() const { return label_; }
  std::string label(std::string_view path) const;

  // Folders below, held open. try_ gives nothing when nothing or no folder is there.
  Beneath folder(std::string_view path) const;
  std::optional<Beneath> try_folder(std::string_view path) const;

  // A regular file for reading; a fifo or device is refused without waiting on it. try_ gives nothing when
  // the name does not exist.
  base::UniqueFd open_file(std::string_view path) const;
  std::optional<base::UniqueFd> try_open_file(std::string_view path) const;
  // A new file for writing and reading, mode 0600 whatever the umask; the name must be free.
  base::UniqueFd create_file(std::string_view path) const;

  // lstat; nothing when the name (or a folder on the way) does not exist.
  std::optional<struct stat> look(std::string_view path) const;
  bool exists(std::string_view path) const { return look(path).has_value(); }
  // Gives `work` the open folder that the entry is in, and its name there; for "" the folder itself.
  void at(std::string_view path, const std::function<void(const base::AttributesAt&)>& work) const;
  // Nothing when it does not exist or is no link.
  std::optional<std::string> link_target(std::string_view path) const;
  // Unsorted, without "." and "..".
  std::vector<FolderEntry> list(std::string_view path = "") const;
  // The folder itself, by the held descriptor's own position: one thread at a time.
  std::vector<FolderEntry> list_alone() const;

  // True when it was made, false when a folder of that name was there already.
  bool make_folder(std::string_view path, mode_t mode = 0755) const;
  // Makes missing parents too.
  void make_folders(std::string_view path, mode_t mode = 0755) const;
  void make_link(std::string_view path, const std::string& target) const;
  // Follows no link; folders need "x" on the way only.
  void set_mode(std::string_view path, mode_t mode) const;
  void set_mtime(std::string_view path, std::int64_t mtime_ns) const;
  // Follows no link; a link itself may be given away.
  void set_owner(std::string_view path, uid_t user, gid_t group) const;

  // Renames within this folder. Replace::no throws Error(refused) when the new name is taken.
  void rename(std::string_view from, std::string_view to, Replace replace = Replace::yes) const;
  // Swaps two names in one step; false when the file system cannot.
  bool exchange(std::string_view a, std::string_view b) const;
  // A second name for an open file; false where the file system or its rules forbid one.
  bool name_file(int fd, std::string_view path) const;
  // A second name for a file or link, for a copy where the file system or its rules forbid one.
  void keep_copy(std::string_view from, std::string_view to) const;

  // True when a file or link was removed, false when nothing was there.
  bool remove_file(std::string_view path) const;
  // True when the folder is gone (or was not there), false when it is not empty.
  bool remove_folder(std::string_view path) const;
  // Whatever is there, with all below it, following no link; no recursion, whatever the depth. Nothing is
  // fine.
  void remove_all(std::string_view path) const;

  // Whole small files of our own: read gives nothing when there is no such file; write replaces it in one
  // step by way of `<path's folder>/tmp-…` and, with sync, has it and its folder on disk before it returns.
  std::optional<std::string> read_small(std::string_view path, std::size_t limit) const;
  // At most so many bytes of it.
  std::optional<std::string> read_beginning(std::string_view path, std::size_t length) const;
  void write_small(std::string_view path, std::string_view content, bool sync) const;
  // Points the link `path` at `target` in one step, by way of a link in the folder `by`.
  void point_link(std::string_view path, const std::string& target, std::string_view by) const;

  void sync_file(std::string_view path) const;
  void sync_folder(std::string_view path = "") const;
  // The whole file system; reports write errors since this Beneath was opened.
  void sync_file_system() const;

 private:
  struct Parent;
  Beneath(base::UniqueFd fd, std::string label) : fd_(std::move(fd)), label_(std::move(label)) {}
  Parent parent_of(std::string_view path) const;
  std::optional<Parent> try_parent_of(std::string_view path) const;
  [[noreturn]] void fail(std::string_view path, int errno_value) const;

  base::UniqueFd fd_;
  std::string label_;
};

// Throws Error(refused) unless `path` is relative and every component is a plain name.
void check_relative(std::string_view path);

// openat2 below `folder`, or its replacement; -1 with errno like open(2).
int open_beneath(int folder, const std::string& path, int flags, mode_t mode = 0);

// Tests show with it that the replacement refuses what the kernel refuses.
enum class Resolver : std::uint8_t { automatic, components };
void use_resolver(Resolver resolver);

std::int64_t mtime_ns(const struct stat& info);
std::int64_t ctime_ns(const struct stat& info);
struct timespec to_timespec(std::int64_t ns);

}  // namespace porter::agent
