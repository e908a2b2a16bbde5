#include "core/base/clone.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"

namespace porter::base {
namespace {

constexpr std::size_t kPiece = std::size_t{16} << 20U;  // between two looks at a cancel

void look_at(const CancelToken* cancel) {
  if (cancel != nullptr) cancel->check();
}

bool cannot(int reason) {
  return reason == EXDEV || reason == EINVAL || reason == ENOSYS || reason == EOPNOTSUPP || reason == EPERM;
}

// False when `from` ends before.
bool copy_range_by_hand(int from, off_t in, int to, off_t out, std::uint64_t size) {
  std::vector<std::byte> buffer(256 * 1024);
  while (size > 0) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(size, buffer.size()));
    const ssize_t got = ::pread(from, buffer.data(), wanted, in);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("read");
    if (got == 0) return false;
    write_at(to, std::span<const std::byte>(buffer).first(static_cast<std::size_t>(got)),
             static_cast<std::uint64_t>(out));
    in += got;
    out += got;
    size -= static_cast<std::uint64_t>(got);
  }
  return true;
}

// False when the kernel cannot do it for these two; nothing is written then.
bool copy_in_kernel(int from, int to, const CancelToken* cancel) {
  off_t in = 0;
  off_t out = 0;
  for (;;) {
    look_at(cancel);
    const ssize_t done = ::copy_file_range(from, &in, to, &out, kPiece, 0);
    if (done == 0) return true;
    if (done > 0 || errno == EINTR) continue;
    if (in == 0 && cannot(errno)) return false;
    throw_errno("copy_file_range");
  }
}

void copy_by_hand(int from, int to, const CancelToken* cancel) {
  if (::lseek(from, 0, SEEK_SET) != 0 || ::lseek(to, 0, SEEK_SET) != 0) throw_errno("lseek");
  std::vector<std::byte> buffer(256 * 1024);
  while (const std::size_t got = read_some(from, buffer)) {
    look_at(cancel);
    write_all(to, std::span<const std::byte>(buffer).first(got));
  }
}

}  // namespace

bool copy_range(int from, std::uint64_t from_offset, int to, std::uint64_t to_offset, std::uint64_t size) {
  auto in = static_cast<off_t>(from_offset);
  auto out = static_cast<off_t>(to_offset);
  while (size > 0) {
    const ssize_t done = ::copy_file_range(from, &in, to, &out, size, 0);
    if (done > 0) size -= static_cast<std::uint64_t>(done);
    // Some file systems (procfs-like ones) copy nothing and say so by success.
    if (done == 0 || (done < 0 && cannot(errno))) return copy_range_by_hand(from, in, to, out, size);
    if (done < 0 && errno != EINTR) throw_errno("copy_file_range");
  }
  return true;
}

void clone_content(int from, int to, const CancelToken* cancel) {
  if (::ioctl(to, FICLONE, from) == 0) return;
  if (errno == ENOSPC || errno == EDQUOT) throw_errno("clone");
  copy_content(from, to, cancel);
}

void share_content(int from, int to) {
  if (::ioctl(to, FICLONE, from) == 0) return;
  if (errno == ENOSPC || errno == EDQUOT) throw_errno("clone");
  throw Error(Code::refused, "this file system cannot share blocks between files")
      .hint("[module] link = auto copies where it has to");
}

void copy_content(int from, int to, const CancelToken* cancel) {
  // Some file systems (procfs-like ones) copy nothing and say so by success: look at what arrived.
  if (copy_in_kernel(from, to, cancel)) {
    struct stat source {};
    struct stat target {};
    if (::fstat(from, &source) != 0 || ::fstat(to, &target) != 0) throw_errno("fstat");
    if (source.st_size == target.st_size) return;
    if (::ftruncate(to, 0) != 0) throw_errno("ftruncate");
  }
  copy_by_hand(from, to, cancel);
}

}  // namespace porter::base
