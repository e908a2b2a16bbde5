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
#include "core/base/holes.h"

namespace porter::base {
namespace {

constexpr std::uint64_t kPiece = 16U << 20U;  // between two looks at a cancel

bool cannot(int reason) {
  return reason == EXDEV || reason == EINVAL || reason == ENOSYS || reason == EOPNOTSUPP || reason == EPERM;
}

// False when `from` ends before.
bool copy_range_by_hand(int from, off_t in, int to, off_t out, std::uint64_t size) {
  std::vector<std::byte> buffer(256 * 1024);
  for (std::uint64_t done = 0; done < size;) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(size - done, buffer.size()));
    const std::span some = std::span(buffer).first(wanted);
    if (read_at(from, some, static_cast<std::uint64_t>(in) + done) < wanted) return false;
    write_at(to, some, static_cast<std::uint64_t>(out) + done);
    done += wanted;
  }
  return true;
}

// Within the kernel where it can; false when `from` ends before.
bool copy_data(int from, std::uint64_t from_offset, int to, std::uint64_t to_offset, std::uint64_t size) {
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

// Whether holes go so far, and not the end of the file before.
bool reaches(int fd, std::uint64_t end) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) throw_errno("fstat");
  return static_cast<std::uint64_t>(info.st_size) >= end;
}

}  // namespace

bool copy_range(int from, std::uint64_t from_offset, int to, std::uint64_t to_offset, std::uint64_t size) {
  const std::uint64_t end = from_offset + size;
  std::uint64_t at = from_offset;
  while (const auto data = next_data(from, at, end)) {
    if (!copy_data(from, data->offset, to, to_offset + (data->offset - from_offset), data->size))
      return false;
    at = data->offset + data->size;
  }
  return at == end || reaches(from, end);
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
  struct stat info {};
  if (::fstat(from, &info) != 0) throw_errno("fstat");
  if (::ftruncate(to, info.st_size) != 0) throw_errno("ftruncate");
  const auto size = static_cast<std::uint64_t>(info.st_size);
  for (std::uint64_t at = 0; at < size; at += kPiece) {
    if (cancel != nullptr) cancel->check();
    if (!copy_range(from, at, to, at, std::min(kPiece, size - at))) return;
  }
}

}  // namespace porter::base
