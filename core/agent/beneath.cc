#include "core/agent/beneath.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>

#include "core/base/clock.h"
#include "core/base/clone.h"
#include "core/base/error.h"
#include "core/base/folder_entries.h"
#include "core/base/text.h"

namespace porter::agent {

using base::Code;
using base::Error;
using base::UniqueFd;

namespace {

struct Split {
  std::string folder;
  std::string name;
};

Split split_path(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {"", std::string(path)};
  return {std::string(path.substr(0, slash)), std::string(path.substr(slash + 1))};
}

EntryKind kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return EntryKind::folder;
  if (S_ISREG(mode)) return EntryKind::file;
  if (S_ISLNK(mode)) return EntryKind::link;
  return EntryKind::other;
}

EntryKind kind_of_entry(int folder, const char* name, unsigned char type) {
  switch (type) {
    case DT_DIR:
      return EntryKind::folder;
    case DT_REG:
      return EntryKind::file;
    case DT_LNK:
      return EntryKind::link;
    case DT_UNKNOWN:
      break;
    default:
      return EntryKind::other;
  }
  struct stat info {};
  if (::fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return EntryKind::other;
  return kind_of(info.st_mode);
}

bool absent(int errno_value) {
  return errno_value == ENOENT || errno_value == ENOTDIR;
}

// A name that no other process uses in the same moment.
std::string temporary_name() {
  static std::atomic<unsigned> counter{0};
  return fmt::format("tmp-{}-{}", ::getpid(), counter.fetch_add(1));
}

std::string in_folder(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : folder + "/" + name;
}

}  // namespace

timespec to_timespec(std::int64_t ns) {
  constexpr std::int64_t kBillion = 1'000'000'000;
  std::int64_t seconds = ns / kBillion;
  std::int64_t rest = ns % kBillion;
  if (rest < 0) {
    rest += kBillion;
    --seconds;
  }
  timespec out{};
  out.tv_sec = seconds;
  out.tv_nsec = static_cast<long>(rest);
  return out;
}

std::int64_t mtime_ns(const struct stat& info) {
  return base::nanoseconds(info.st_mtim);
}

std::int64_t ctime_ns(const struct stat& info) {
  return base::nanoseconds(info.st_ctim);
}

// The folder of a path, held open, and the last name in it.
struct Beneath::Parent {
  UniqueFd held;  // unused when the folder is the Beneath itself
  int fd = -1;
  std::string name;
};

Beneath Beneath::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) base::throw_errno(path);
  return Beneath(std::move(fd), path);
}

std::optional<Beneath> Beneath::try_open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return std::nullopt;
  if (!fd) base::throw_errno(path);
  return Beneath(std::move(fd), path);
}

std::string Beneath::label(std::string_view path) const {
  return path.empty() ? label_ : label_ + "/" + std::string(path);
}

void Beneath::fail(std::string_view path, int errno_value) const {
  if (errno_value == ELOOP || errno_value == EXDEV)
    throw Error(Code::refused, fmt::format("{}: a symbolic link or a mount stands on the way", label(path)));
  throw base::system_error(label(path), errno_value);
}

std::optional<Beneath::Parent> Beneath::try_parent_of(std::string_view path) const {
  check_relative(path);
  Split parts = split_path(path);
  if (parts.folder.empty()) return Parent{UniqueFd(), fd_.get(), std::move(parts.name)};
  UniqueFd held(open_beneath(fd_.get(), parts.folder, O_PATH | O_DIRECTORY));
  if (!held && absent(errno)) return std::nullopt;
  if (!held) fail(path, errno);
  const int fd = held.get();
  return Parent{std::move(held), fd, std::move(parts.name)};
}

Beneath::Parent Beneath::parent_of(std::string_view path) const {
  std::optional<Parent> parent = try_parent_of(path);
  if (!parent) fail(path, ENOENT);
  return std::move(*parent);
}

std::optional<Beneath> Beneath::try_folder(std::string_view path) const {
  if (!path.empty()) check_relative(path);
  UniqueFd fd(open_beneath(fd_.get(), std::string(path), O_RDONLY | O_DIRECTORY));
  if (!fd && absent(errno)) return std::nullopt;
  if (!fd) fail(path, errno);
  return Beneath(std::move(fd), label(path));
}

Beneath Beneath::folder(std::string_view path) const {
  std::optional<Beneath> found = try_folder(path);
  if (!found) throw base::system_error(label(path), ENOENT);
  return std::move(*found);
}

std::optional<UniqueFd> Beneath::try_open_file(std::string_view path) const {
  check_relative(path);
  UniqueFd fd(open_beneath(fd_.get(), std::string(path), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (!fd && absent(errno)) return std::nullopt;
  if (!fd) fail(path, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) fail(path, errno);
  if (!S_ISREG(info.st_mode)) throw Error(Code::refused, fmt::format("{}: not a regular file", label(path)));
  return fd;
}

UniqueFd Beneath::open_file(std::string_view path) const {
  std::optional<UniqueFd> fd = try_open_file(path);
  if (!fd) fail(path, ENOENT);
  return std::move(*fd);
}

UniqueFd Beneath::create_file(std::string_view path) const {
  const Parent parent = parent_of(path);
  UniqueFd fd(
      ::openat(parent.fd, parent.name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) fail(path, errno);
  return fd;
}

std::optional<struct stat> Beneath::look(std::string_view path) const {
  struct stat info {};
  if (path.empty()) {
    if (::fstat(fd_.get(), &info) != 0) fail(path, errno);
    return info;
  }
  const std::optional<Parent> parent = try_parent_of(path);
  if (!parent) return std::nullopt;
  if (::fstatat(parent->fd, parent->name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) return info;
  if (absent(errno)) return std::nullopt;
  fail(path, errno);
}

void Beneath::at(std::string_view path, const std::function<void(const base::AttributesAt&)>& work) const {
  if (path.empty()) return work({fd_.get()});
  const Parent parent = parent_of(path);
  work({parent.fd, parent.name.c_str()});
}

std::optional<std::string> Beneath::link_target(std::string_view path) const {
  const std::optional<Parent> parent = try_parent_of(path);
  if (!parent) return std::nullopt;
  std::string target(PATH_MAX, '\0');
  const ssize_t got = ::readlinkat(parent->fd, parent->name.c_str(), target.data(), target.size());
  if (got < 0 && (absent(errno) || errno == EINVAL)) return std::nullopt;
  if (got < 0) fail(path, errno);
  target.resize(static_cast<std::size_t>(got));
  return target;
}

std::vector<FolderEntry> Beneath::list(std::string_view path) const {
  // By a descriptor of its own: several threads may list the same folder.
  return folder(path).list_alone();
}

std::vector<FolderEntry> Beneath::list_alone() const {
  std::vector<FolderEntry> entries;
  const bool read = base::for_each_entry(fd_.get(), [&](const char* name, unsigned char type) {
    entries.push_back({name, kind_of_entry(fd_.get(), name, type)});
  });
  if (!read) fail("", errno);
  return entries;
}

bool Beneath::make_folder(std::string_view path, mode_t mode) const {
  const Parent parent = parent_of(path);
  if (::mkdirat(parent.fd, parent.name.c_str(), mode) == 0) return true;
  if (errno != EEXIST) fail(path, errno);
  struct stat info {};
  if (::fstatat(parent.fd, parent.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) fail(path, errno);
  if (!S_ISDIR(info.st_mode))
    throw Error(Code::refused, fmt::format("{}: is there, and no folder", label(path)));
  return false;
}

void Beneath::make_folders(std::string_view path, mode_t mode) const {
  if (path.empty()) return;
  check_relative(path);
  for (std::size_t slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/', slash + 1))
    make_folder(path.substr(0, slash), mode);
  make_folder(path, mode);
}

void Beneath::make_link(std::string_view path, const std::string& target) const {
  const Parent parent = parent_of(path);
  if (::symlinkat(target.c_str(), parent.fd, parent.name.c_str()) != 0) fail(path, errno);
}

void Beneath::set_mode(std::string_view path, mode_t mode) const {
  if (path.empty()) {
    if (::fchmod(fd_.get(), mode) != 0) fail(path, errno);
    return;
  }
  check_relative(path);
  const UniqueFd fd(open_beneath(fd_.get(), std::string(path), O_PATH | O_NOFOLLOW));
  if (!fd) fail(path, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) fail(path, errno);
  if (S_ISLNK(info.st_mode)) fail(path, ELOOP);
  // The held descriptor's own name in /proc leads to exactly this file, readable or not.
  if (::chmod(fmt::format("/proc/self/fd/{}", fd.get()).c_str(), mode) != 0) fail(path, errno);
}

void Beneath::set_mtime(std::string_view path, std::int64_t mtime) const {
  timespec omit{};
  omit.tv_nsec = UTIME_OMIT;
  const timespec times[2] = {omit, to_timespec(mtime)};
  if (path.empty()) {
    if (::futimens(fd_.get(), times) != 0) fail(path, errno);
    return;
  }
  const Parent parent = parent_of(path);
  if (::utimensat(parent.fd, parent.name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) fail(path, errno);
}

void Beneath::set_owner(std::string_view path, uid_t user, gid_t group) const {
  at(path, [&](const base::AttributesAt& entry) {
    if (::fchownat(entry.fd, entry.name, user, group, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0)
      fail(path, errno);
  });
}

void Beneath::rename(std::string_view from, std::string_view to, Replace replace) const {
  const Parent source = parent_of(from);
  const Parent target = parent_of(to);
  if (replace == Replace::no) {
    const unsigned flags = RENAME_NOREPLACE;
    if (::renameat2(source.fd, source.name.c_str(), target.fd, target.name.c_str(), flags) == 0) return;
    if (errno == EEXIST) throw Error(Code::refused, fmt::format("{}: is there already", label(to)));
    // A file system that cannot promise it (EINVAL) still renames; we hold the site's lock.
    if (errno != EINVAL) fail(from, errno);
    if (exists(to)) throw Error(Code::refused, fmt::format("{}: is there already", label(to)));
  }
  if (::renameat(source.fd, source.name.c_str(), target.fd, target.name.c_str()) != 0) fail(from, errno);
}

bool Beneath::exchange(std::string_view a, std::string_view b) const {
  const Parent first = parent_of(a);
  const Parent second = parent_of(b);
  const unsigned flags = RENAME_EXCHANGE;
  if (::renameat2(first.fd, first.name.c_str(), second.fd, second.name.c_str(), flags) == 0) return true;
  if (errno == EINVAL || errno == ENOSYS) return false;
  fail(a, errno);
}

bool Beneath::name_file(int fd, std::string_view path) const {
  const Parent target = parent_of(path);
  // By way of /proc, as open(2) describes for O_TMPFILE: linking a descriptor itself needs a capability.
  const std::string self = fmt::format("/proc/self/fd/{}", fd);
  if (::linkat(AT_FDCWD, self.c_str(), target.fd, target.name.c_str(), AT_SYMLINK_FOLLOW) == 0) return true;
  if (errno == EPERM || errno == EMLINK || errno == EOPNOTSUPP || errno == EXDEV || errno == ENOENT)
    return false;
  fail(path, errno);
}

void Beneath::keep_copy(std::string_view from, std::string_view to) const {
  const Parent source = parent_of(from);
  const Parent target = parent_of(to);
  if (::linkat(source.fd, source.name.c_str(), target.fd, target.name.c_str(), 0) == 0) return;
  // EPERM also from fs.protected_hardlinks for files of other users; a copy made aside and renamed does it.
  if (errno != EPERM && errno != EMLINK && errno != EOPNOTSUPP) fail(from, errno);
  if (const std::optional<std::string> link = link_target(from)) return make_link(to, *link);
  const UniqueFd old = open_file(from);
  const std::string temporary = in_folder(split_path(to).folder, temporary_name());
  const UniqueFd copy = create_file(temporary);
  base::clone_content(old.get(), copy.get());
  struct stat info {};
  if (::fstat(old.get(), &info) != 0) fail(from, errno);
  if (::fchmod(copy.get(), info.st_mode & 07777U) != 0) fail(to, errno);
  const timespec times[2] = {info.st_atim, info.st_mtim};
  if (::futimens(copy.get(), times) != 0) fail(to, errno);
  rename(temporary, to);
}

bool Beneath::remove_file(std::string_view path) const {
  const std::optional<Parent> parent = try_parent_of(path);
  if (!parent) return false;
  if (::unlinkat(parent->fd, parent->name.c_str(), 0) == 0) return true;
  if (errno == ENOENT) return false;
  fail(path, errno);
}

bool Beneath::remove_folder(std::string_view path) const {
  const std::optional<Parent> parent = try_parent_of(path);
  if (!parent) return true;
  if (::unlinkat(parent->fd, parent->name.c_str(), AT_REMOVEDIR) == 0 || absent(errno)) return true;
  if (errno == ENOTEMPTY || errno == EEXIST) return false;
  fail(path, errno);
}

std::optional<std::string> Beneath::read_small(std::string_view path, std::size_t limit) const {
  const std::optional<UniqueFd> fd = try_open_file(path);
  if (!fd) return std::nullopt;
  return base::while_doing("reading " + label(path), [&] { return base::read_to_end(fd->get(), limit); });
}

std::optional<std::string> Beneath::read_beginning(std::string_view path, std::size_t length) const {
  const std::optional<UniqueFd> fd = try_open_file(path);
  if (!fd) return std::nullopt;
  return base::while_doing("reading " + label(path), [&] {
    std::string bytes(length, '\0');
    bytes.resize(base::read_some(fd->get(), std::as_writable_bytes(std::span(bytes))));
    return bytes;
  });
}

void Beneath::write_small(std::string_view path, std::string_view content, bool sync) const {
  const std::string folder_path = split_path(path).folder;
  const std::string temporary = in_folder(folder_path, temporary_name());
  remove_file(temporary);
  const UniqueFd fd = create_file(temporary);
  try {
    base::while_doing("writing " + label(path), [&] { base::write_all(fd.get(), content); });
    if (sync && ::fsync(fd.get()) != 0) fail(path, errno);
    rename(temporary, path);
  } catch (const std::exception&) {
    remove_file(temporary);
    throw;
  }
  if (sync) sync_folder(folder_path);
}

void Beneath::point_link(std::string_view path, const std::string& target, std::string_view by) const {
  const std::string temporary = in_folder(std::string(by), temporary_name());
  remove_file(temporary);
  make_link(temporary, target);
  rename(temporary, path);
}

void Beneath::sync_file(std::string_view path) const {
  const UniqueFd fd = open_file(path);
  if (::fsync(fd.get()) != 0) fail(path, errno);
}

void Beneath::sync_folder(std::string_view path) const {
  const UniqueFd fd(open_beneath(fd_.get(), std::string(path), O_RDONLY | O_DIRECTORY));
  if (!fd || ::fsync(fd.get()) != 0) fail(path, errno);
}

void Beneath::sync_file_system() const {
  if (::syncfs(fd_.get()) != 0) fail("", errno);
}

}  // namespace porter::agent
