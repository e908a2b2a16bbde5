#pragma once
// Opened once by one thread, awaited by another with deadline and cancel; what was written before open() is
// seen after wait(). Shared by both (shared_ptr), since either may go first. Internal to this room.

#include <atomic>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/base/fd.h"

namespace porter::transport {

class Latch {
 public:
  void open() {
    opened_.store(true, std::memory_order_release);
    pipe_.second.reset();
  }

  // Throws Error(timeout), Interrupted.
  void wait(base::Deadline deadline, const base::CancelToken& cancel) const {
    base::wait_readable(pipe_.first.get(), deadline, cancel);
    [[maybe_unused]] const bool opened = opened_.load(std::memory_order_acquire);
  }

 private:
  std::atomic<bool> opened_ = false;
  base::FdPair pipe_ = base::make_pipe();
};

}  // namespace porter::transport
