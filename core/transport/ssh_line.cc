#include "core/transport/ssh_line.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>

namespace porter::transport {

void SshLine::answered_in(std::chrono::steady_clock::duration time) {
  const auto now = std::max<std::chrono::microseconds::rep>(
      std::chrono::duration_cast<std::chrono::microseconds>(time).count(), 1);
  const auto before = shortest_.load();
  if (before == 0 || now < before) shortest_ = now;
}

std::size_t SshLine::unacknowledged() const {
  if (first_) return first_->unacknowledged();
  const std::lock_guard lock(mutex_);
  int bytes = 0;
  if (tcp_ < 0 || ::ioctl(tcp_, SIOCOUTQ, &bytes) != 0) return 0;
  return static_cast<std::size_t>(bytes);
}

LineState SshLine::state() const {
  return {round_trip(), unacknowledged()};
}

void SshLine::end() {
  const std::lock_guard lock(mutex_);
  tcp_ = -1;
}

}  // namespace porter::transport
