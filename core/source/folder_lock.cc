#include "core/source/folder_lock.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>

#include <cerrno>

#include "core/base/error.h"

namespace porter::source {

std::optional<FolderLock> FolderLock::attempt(const std::filesystem::path& file) {
  base::UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) base::throw_errno(file.string());
  int result = 0;
  do
    result = ::flock(fd.get(), LOCK_EX | LOCK_NB);
  while (result != 0 && errno == EINTR);
  if (result == 0) return FolderLock(std::move(fd));
  if (errno == EWOULDBLOCK) return std::nullopt;
  base::throw_errno(file.string());
}

FolderLock FolderLock::wait(const std::filesystem::path& file, const base::CancelToken& cancel) {
  constexpr int kRetryMilliseconds = 25;  // flock(2) cannot wait for a lock and a cancel at once
  for (;;) {
    cancel.check();
    if (auto lock = attempt(file)) return std::move(*lock);
    pollfd cancelled{cancel.descriptor(), POLLIN, 0};
    ::poll(&cancelled, 1, kRetryMilliseconds);
  }
}

}  // namespace porter::source
