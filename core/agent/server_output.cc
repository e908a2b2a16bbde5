#include "core/agent/server_output.h"

#include <utility>

#include "core/base/fd.h"

namespace porter::agent {
namespace {

// What agents say is little: trees and signatures. Quick, and with little memory on either end.
constexpr int kLevel = 1;

}  // namespace

void Output::write(std::string_view bytes) {
  base::write_all(fd_, bytes);
  last_ = std::chrono::steady_clock::now();
}

void Output::raw(std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  write(bytes);
}

void Output::start_packing() {
  const std::lock_guard lock(mutex_);
  packer_.emplace(protocol::Packer::Stream::single);
}

void Output::send_frame(std::string frame) {
  const std::lock_guard lock(mutex_);
  write(packer_ ? packer_->pack(std::move(frame), kLevel) : frame);
}

void Output::beat_after(std::chrono::milliseconds quiet) {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock() || std::chrono::steady_clock::now() - last_ < quiet) return;
  write(protocol::to_frame(protocol::Beat{}));
}

}  // namespace porter::agent
