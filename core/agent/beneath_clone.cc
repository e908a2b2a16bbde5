// Filling a new file with an old one's content, the cheapest way that the file system has.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "core/agent/beneath.h"
#include "core/base/error.h"

namespace porter::agent {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 30U;

bool cannot(int reason) {
  return reason == EXDEV || reason == EINVAL || reason == ENOSYS || reason == EOPNOTSUPP || reason == EPERM;
}

// False when the kernel cannot do it for these two; nothing is written then.
bool copy_in_kernel(int from, int to) {
  off_t in = 0;
  off_t out = 0;
  for (;;) {
    const ssize_t done = ::copy_file_range(from, &in, to, &out, kPiece, 0);
    if (done == 0) return true;
    if (done > 0 || errno == EINTR) continue;
    if (in == 0 && cannot(errno)) return false;
    base::throw_errno("copy_file_range");
  }
}

void copy_by_hand(int from, int to) {
  if (::lseek(from, 0, SEEK_SET) != 0 || ::lseek(to, 0, SEEK_SET) != 0) base::throw_errno("lseek");
  std::vector<std::byte> buffer(256 * 1024);
  while (const std::size_t got = base::read_some(from, buffer))
    base::write_all(to, std::span<const std::byte>(buffer).first(got));
}

}  // namespace

void clone_content(int from, int to) {
  if (::ioctl(to, FICLONE, from) == 0) return;
  if (errno == ENOSPC || errno == EDQUOT) base::throw_errno("clone");
  copy_content(from, to);
}

void share_content(int from, int to) {
  if (::ioctl(to, FICLONE, from) == 0) return;
  if (errno == ENOSPC || errno == EDQUOT) base::throw_errno("clone");
  throw base::Error(base::Code::refused, "this file system cannot share blocks between files")
      .hint("[module] link = auto copies where it has to");
}

void copy_content(int from, int to) {
  // Some file systems (procfs-like ones) copy nothing and say so by success: look at what arrived.
  if (copy_in_kernel(from, to)) {
    struct stat source {};
    struct stat target {};
    if (::fstat(from, &source) != 0 || ::fstat(to, &target) != 0) base::throw_errno("fstat");
    if (source.st_size == target.st_size) return;
    if (::ftruncate(to, 0) != 0) base::throw_errno("ftruncate");
  }
  copy_by_hand(from, to);
}

}  // namespace porter::agent
