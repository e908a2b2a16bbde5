#include "core/agent/server_output.h"

#include "core/base/fd.h"

namespace porter::agent {

void Output::raw(std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  base::write_all(fd_, bytes);
  last_ = std::chrono::steady_clock::now();
}

void Output::beat_after(std::chrono::milliseconds quiet) {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock() || std::chrono::steady_clock::now() - last_ < quiet) return;
  base::write_all(fd_, protocol::to_frame(protocol::Beat{}));
  last_ = std::chrono::steady_clock::now();
}

}  // namespace porter::agent
