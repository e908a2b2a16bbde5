#include "core/agent/command_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <vector>

#include "core/agent/beneath.h"
#include "core/agent/occupant.h"
#include "core/base/error.h"
#include "core/base/files.h"

namespace porter::agent {
namespace {

using base::Code;
using base::Error;
using protocol::PathKind;

constexpr std::size_t kPieceBytes = 256U << 10U;

PathKind kind_of(mode_t mode) {
  if (S_ISREG(mode)) return PathKind::file;
  if (S_ISDIR(mode)) return PathKind::folder;
  return S_ISLNK(mode) ? PathKind::link : PathKind::other;
}

// Non-blocking, so that a fifo does not hold up the agent.
base::UniqueFd open_regular(const std::string& path) {
  base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd && (errno == ENOENT || errno == ENOTDIR))
    throw Error(Code::missing, path + ": there is no such file");
  if (!fd) base::throw_errno(path);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) base::throw_errno(path);
  if (!S_ISREG(info.st_mode)) throw Error(Code::refused, path + ": is no regular file");
  return fd;
}

}  // namespace

protocol::PathState path_state(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return {};
    base::throw_errno(path);
  }
  protocol::PathState state{kind_of(info.st_mode), info.st_mode & 07777U,
                            static_cast<std::uint64_t>(info.st_size), mtime_ns(info), ""};
  if (state.kind == PathKind::link) state.target = target_of_link(path);
  return state;
}

void read_in_pieces(const std::string& path, std::uint64_t limit,
                    const std::function<void(std::string bytes, bool last)>& give) {
  const base::UniqueFd fd = open_regular(path);
  std::uint64_t total = 0;
  for (;;) {
    std::string piece(kPieceBytes, '\0');
    const std::size_t got =
        base::read_some(fd.get(), std::as_writable_bytes(std::span(piece.data(), piece.size())));
    total += got;
    if (total > limit)
      throw Error(Code::refused, fmt::format("{}: larger than the {} bytes that may be read", path, limit));
    piece.resize(got);
    give(std::move(piece), got == 0);
    if (got == 0) return;
  }
}

void remove_path(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR) base::throw_errno(path);
}

void rename_path(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) base::throw_errno(fmt::format("renaming {} to {}", from, to));
}

void make_folder(const std::string& path, std::uint32_t mode) {
  base::make_folders(std::filesystem::path(path).parent_path());
  const bool made = ::mkdir(path.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) base::throw_errno(path);
  if (!made && !std::filesystem::is_directory(path))
    throw Error(Code::refused, path + ": is there and no folder");
  if (::chmod(path.c_str(), mode) != 0) base::throw_errno(path);
}

void make_link(const std::string& path, const std::string& target) {
  base::make_folders(std::filesystem::path(path).parent_path());
  const std::string temporary = fmt::format("{}.porter-{}", path, ::getpid());
  ::unlink(temporary.c_str());
  if (::symlink(target.c_str(), temporary.c_str()) != 0) base::throw_errno(temporary);
  if (::rename(temporary.c_str(), path.c_str()) == 0) return;
  const int reason = errno;
  ::unlink(temporary.c_str());
  throw base::system_error(path, reason);
}

FileReplacement::FileReplacement(std::string path, std::uint32_t mode)
    : path_(std::move(path)), mode_(mode_for(path_, mode)) {
  const std::filesystem::path file(path_);
  base::make_folders(file.parent_path());
  temporary_ =
      (file.parent_path() / fmt::format(".{}.XXXXXX", file.filename().string().substr(0, 200))).string();
  fd_.reset(::mkostemp(temporary_.data(), O_CLOEXEC));
  if (!fd_) base::throw_errno(temporary_);
}

FileReplacement::~FileReplacement() {
  if (fd_) ::unlink(temporary_.c_str());
}

void FileReplacement::write(std::string_view bytes) {
  base::while_doing("writing " + path_, [&] { base::write_all(fd_.get(), bytes); });
}

void FileReplacement::finish() {
  if (::fchmod(fd_.get(), mode_) != 0 || ::fsync(fd_.get()) != 0) base::throw_errno(temporary_);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) base::throw_errno(path_);
  fd_.reset();
}

}  // namespace porter::agent
