#include "core/base/clone.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

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
