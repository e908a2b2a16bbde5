#pragma once
// How the way of one SSH connection is doing: what the kernel still holds of its (first) TCP connection, and
// how long answers of the far end take that cost it nothing. Internal to this room.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>

#include "core/transport/transport.h"

namespace porter::transport {

class SshLine : public Line {
 public:
  // `tcp` stays the caller's. A connection through `first` has none of its own.
  SshLine(int tcp, std::shared_ptr<const SshLine> first) : tcp_(tcp), first_(std::move(first)) {}

  // An answer took this long; on the connection's thread. The shortest counts: what a kernel measures is the
  // round trip to the next hop only.
  void answered_in(std::chrono::steady_clock::duration time);
  // Zero: nothing was asked yet.
  std::chrono::microseconds round_trip() const { return std::chrono::microseconds(shortest_.load()); }
  LineState state() const override;
  // The descriptor is about to be closed.
  void end();

 private:
  std::size_t unacknowledged() const;

  mutable std::mutex mutex_;
  int tcp_;  // guarded by mutex_; -1: closed
  const std::shared_ptr<const SshLine> first_;
  std::atomic<std::chrono::microseconds::rep> shortest_{0};  // 0: nothing was asked yet
};

}  // namespace porter::transport
