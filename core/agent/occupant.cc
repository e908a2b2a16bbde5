#include "core/agent/occupant.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>

#include "core/agent/failpoint.h"
#include "core/base/clone.h"
#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/files.h"
#include "core/sync/tree.h"

namespace porter::agent {
namespace {

using base::Code;
using base::Error;
using std::filesystem::path;

constexpr std::uint32_t kNewFileMode = 0644;
constexpr std::size_t kLongestTarget = 4096;

// Nothing when nothing is there.
std::optional<struct stat> status_of(const std::string& name) {
  struct stat info {};
  if (::lstat(name.c_str(), &info) == 0) return info;
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  base::throw_errno(name);
}

Occupant to_occupant(const struct stat& info) {
  Occupant found;
  found.kind = OccupantKind::file;
  found.mode = info.st_mode & 07777U;
  found.uid = info.st_uid;
  found.gid = info.st_gid;
  found.mtime_ns = mtime_ns(info);
  return found;
}

void sync_folder_of(const std::string& name) {
  const std::string parent = path(name).parent_path().string();
  struct stat info {};
  // A folder that is gone has no names to keep.
  if (::stat(parent.c_str(), &info) == 0) base::sync_folder(parent);
}

// Each folder's name is on disk before what is made in it.
void make_folders_above(const std::string& name, bool sync) {
  const std::string made = first_missing_folder(name);
  base::make_folders(path(name).parent_path());
  if (made.empty()) return;
  reach("outside: folders made");
  if (!sync) return;
  for (std::string folder = path(name).parent_path().string();;
       folder = path(folder).parent_path().string()) {
    sync_folder_of(folder);
    if (folder == made) return;
  }
}

// What the file system does not let us give stays as it is.
void give_owner(int fd, const Occupant& wanted, const std::string& name) {
  const auto there = status_of(name);
  const bool file = there && S_ISREG(there->st_mode);
  const uid_t uid = wanted.uid != Occupant::kAnyOwner ? static_cast<uid_t>(wanted.uid)
                    : file                            ? there->st_uid
                                                      : ::geteuid();
  const gid_t gid = wanted.gid != Occupant::kAnyOwner ? static_cast<gid_t>(wanted.gid)
                    : file                            ? there->st_gid
                                                      : static_cast<gid_t>(-1);
  if (::fchown(fd, uid, gid) != 0 && errno != EPERM && errno != EINVAL) base::throw_errno(name);
}

base::UniqueFd copy_of(const KeptContent& content, const std::string& temporary) {
  const base::UniqueFd from = content.folder.open_file(content.name);
  base::UniqueFd to(::open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!to) base::throw_errno(temporary);
  base::clone_content(from.get(), to.get());
  return to;
}

// The content itself under a second name, which needs no space.
base::UniqueFd second_name_of(const KeptContent& content, const std::string& temporary) {
  if (::linkat(content.folder.descriptor(), content.name.c_str(), AT_FDCWD, temporary.c_str(), 0) != 0)
    base::throw_errno(temporary);
  base::UniqueFd to(::open(temporary.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!to) base::throw_errno(temporary);
  return to;
}

void write_file(const std::string& name, const Occupant& wanted, const KeptContent& content,
                const std::string& temporary, bool sync) {
  const auto make = content.given_up ? second_name_of : copy_of;
  const base::UniqueFd to = base::while_doing("writing " + name, [&] { return make(content, temporary); });
  give_owner(to.get(), wanted, name);
  if (::fchmod(to.get(), wanted.mode) != 0) base::throw_errno(temporary);
  const timespec times[2] = {{0, UTIME_OMIT}, to_timespec(wanted.mtime_ns)};
  if (wanted.mtime_ns != 0 && ::futimens(to.get(), times) != 0) base::throw_errno(temporary);
  if (sync && ::fsync(to.get()) != 0) base::throw_errno(temporary);
}

void write_beside(const std::string& name, const Occupant& wanted, const KeptContent& content,
                  const std::string& temporary, bool sync) {
  if (wanted.kind == OccupantKind::file) return write_file(name, wanted, content, temporary, sync);
  if (::symlink(wanted.target.c_str(), temporary.c_str()) != 0) base::throw_errno(temporary);
}

void remove_name(const std::string& name) {
  if (::unlink(name.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR) base::throw_errno(name);
}

}  // namespace

std::string target_of_link(const std::string& name) {
  std::string target(kLongestTarget, '\0');
  const ssize_t length = ::readlink(name.c_str(), target.data(), target.size());
  if (length < 0) base::throw_errno(name);
  target.resize(static_cast<std::size_t>(length));
  return target;
}

Occupant look_at(const std::string& name) {
  const auto info = status_of(name);
  if (!info) return {};
  if (S_ISREG(info->st_mode)) return to_occupant(*info);
  if (S_ISLNK(info->st_mode)) {
    Occupant link;
    link.kind = OccupantKind::link;
    link.target = target_of_link(name);
    return link;
  }
  throw Error(Code::refused, fmt::format("{}: is {}, and only a file or a link can be replaced", name,
                                         S_ISDIR(info->st_mode) ? "a folder" : "a device, socket or pipe"))
      .hint("choose another path, or move away what is there");
}

Occupant keep_occupant(const std::string& name, const KeptContent& to, bool sync) {
  Occupant found = look_at(name);
  if (found.kind != OccupantKind::file) return found;
  // Another may have put a pipe there since.
  const base::UniqueFd from(::open(name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat info {};
  if (!from || ::fstat(from.get(), &info) != 0) base::throw_errno(name);
  if (!S_ISREG(info.st_mode)) throw Error(Code::refused, name + ": is no regular file any more");
  to.folder.remove_file(to.name);
  const base::UniqueFd kept = to.folder.create_file(to.name);
  base::while_doing("keeping " + name, [&] { base::clone_content(from.get(), kept.get()); });
  if (sync && ::fsync(kept.get()) != 0) base::throw_errno(to.folder.label(to.name));
  if (sync) to.folder.sync_folder(sync::parent_path(to.name));
  return to_occupant(info);
}

std::uint32_t mode_for(const std::string& name, std::uint32_t asked) {
  struct stat info {};
  if (asked != 0) return asked;
  return ::stat(name.c_str(), &info) == 0 ? info.st_mode & 07777U : kNewFileMode;
}

std::string first_missing_folder(const std::string& name) {
  std::string missing;
  struct stat info {};
  for (path folder = path(name).parent_path(); ::stat(folder.c_str(), &info) != 0;
       folder = folder.parent_path()) {
    if (errno != ENOENT && errno != ENOTDIR) base::throw_errno(folder.string());
    missing = folder.string();
  }
  return missing;
}

void put_occupant(const std::string& name, const Occupant& wanted, const KeptContent& content,
                  const std::string& temporary, bool sync) {
  const std::string beside = (path(name).parent_path() / temporary).string();
  remove_name(beside);
  static_cast<void>(look_at(name));
  if (wanted.kind == OccupantKind::absent) {
    remove_name(name);
  } else {
    make_folders_above(name, sync);
    try {
      write_beside(name, wanted, content, beside, sync);
      reach("outside: written beside");
      if (::rename(beside.c_str(), name.c_str()) != 0) base::throw_errno(name);
    } catch (const std::exception&) {
      ::unlink(beside.c_str());
      throw;
    }
  }
  reach("outside: in place");
  if (sync) sync_folder_of(name);
}

void remove_made_folders(const std::string& name, const std::string& made) {
  if (made.empty()) return;
  for (std::string folder = path(name).parent_path().string();;
       folder = path(folder).parent_path().string()) {
    if (::rmdir(folder.c_str()) != 0 && errno != ENOENT) return;
    if (folder == made || folder == "/") return;
  }
}

}  // namespace porter::agent
