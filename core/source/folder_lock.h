#pragma once
// Kernel locks (flock) on files in the cache folder: they end with their process, however it dies, so there
// is never a stale one. Any thread; a lock is a value that is held until it is destroyed.

#include <filesystem>
#include <optional>

#include "core/base/cancel.h"
#include "core/base/fd.h"

namespace porter::source {

class FolderLock {
 public:
  // Waits for it. `file` is made when needed and stays. Throws Error(io) and Interrupted.
  static FolderLock wait(const std::filesystem::path& file, const base::CancelToken& cancel);
  // Nothing when someone else holds it.
  static std::optional<FolderLock> attempt(const std::filesystem::path& file);

  // For a child that works under the lock: it stays locked until that child has ended too, even if we are
  // killed.
  int descriptor() const { return fd_.get(); }

 private:
  explicit FolderLock(base::UniqueFd fd) : fd_(std::move(fd)) {}
  base::UniqueFd fd_;
};

}  // namespace porter::source
