#include "core/agent/write_back.h"

#include <fcntl.h>
#include <unistd.h>

namespace porter::agent {

WriteBack::WriteBack(const Beneath& tree)
    : folder_(::openat(tree.descriptor(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}

WriteBack::~WriteBack() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void WriteBack::wrote(std::size_t files) {
  const std::lock_guard lock(mutex_);
  waiting_ += files;
  if (waiting_ < kFilesAtOnce || !folder_) return;
  if (!thread_.joinable()) thread_ = std::thread([this] { serve(); });
  changed_.notify_all();
}

void WriteBack::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ending_ || waiting_ >= kFilesAtOnce; });
    if (ending_) return;
    waiting_ = 0;
    lock.unlock();
    ::syncfs(folder_.get());
    lock.lock();
  }
}

}  // namespace porter::agent
