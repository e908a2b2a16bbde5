#include "core/sync/content_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/content_digest.h"
#include "core/base/error.h"
#include "core/sync/file_digest.h"

namespace porter::sync {
namespace {

constexpr int kFlags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

// Up to `size` bytes and one more, which tells that there are too many.
std::string read_up_to(int fd, std::uint64_t size) {
  std::string bytes(static_cast<std::size_t>(size) + 1, '\0');
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const std::size_t got = base::read_some(fd, std::as_writable_bytes(std::span(bytes).subspan(filled)));
    if (got == 0) break;
    filled += got;
    if (filled == size) break;  // whether there is more shows in the stamp or the digest
  }
  bytes.resize(filled);
  return bytes;
}

bool has_stamp(int fd, const Entry& entry) {
  struct stat now {};
  return entry.stamp != Stamp{} && ::fstat(fd, &now) == 0 && is_untouched(entry, now);
}

}  // namespace

base::UniqueFd ContentReader::open(EntryRef ref) {
  const Content* other = composed_.overlaid(ref);
  const std::string path = other != nullptr ? other->path : composed_.folder_path(ref.folder);
  base::UniqueFd fd;
  if (other != nullptr) {
    fd.reset(::open(path.c_str(), kFlags));
  } else {
    if (folder_ != ref.folder) held_.reset(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    folder_ = ref.folder;
    if (held_) fd.reset(::openat(held_.get(), composed_.tree.at(ref).name.c_str(), kFlags | O_NOFOLLOW));
  }
  if (!fd && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
    base::throw_errno(other != nullptr ? path : join_path(path, composed_.tree.at(ref).name));
  return fd;
}

std::optional<std::string> ContentReader::read(EntryRef ref) {
  const Content* other = composed_.overlaid(ref);
  std::string bytes;
  if (other != nullptr && !other->is_file()) {
    bytes = other->read(SIZE_MAX);
  } else {
    const base::UniqueFd fd = open(ref);
    if (!fd) return std::nullopt;
    bytes = read_up_to(fd.get(), composed_.tree.at(ref).size);
    if (bytes.size() == composed_.tree.at(ref).size && has_stamp(fd.get(), composed_.tree.at(ref)))
      return bytes;
  }
  if (bytes.size() != composed_.tree.at(ref).size ||
      base::content_digest(bytes) != composed_.tree.at(ref).digest)
    return std::nullopt;
  return bytes;
}

bool ContentReader::is_as_composed(int fd, EntryRef ref) const {
  const Entry& entry = composed_.tree.at(ref);
  if (has_stamp(fd, entry)) return true;
  struct stat now {};
  return ::fstat(fd, &now) == 0 && static_cast<std::uint64_t>(now.st_size) == entry.size &&
         base::content_digest(fd, entry.size) == entry.digest;
}

}  // namespace porter::sync
