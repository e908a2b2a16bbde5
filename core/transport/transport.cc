#include "core/transport/transport.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/text.h"

namespace porter::transport {

std::string ExitStatus::describe() const {
  if (signal > 0) return fmt::format("killed by signal {}", signal);
  return signal != 0 ? "killed by an unknown signal" : fmt::format("exit status {}", status);
}

void ErrorText::add(std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  const std::size_t fits = std::min(bytes.size(), limit / 2 - head_.size());
  head_.append(bytes.substr(0, fits));
  tail_.append(bytes.substr(fits));
  if (tail_.size() <= limit / 2) return;
  const std::size_t surplus = tail_.size() - limit / 2;
  tail_.erase(0, surplus);
  left_out_ += surplus;
}

std::string ErrorText::get() const {
  const std::lock_guard lock(mutex_);
  if (left_out_ == 0) return base::printable_lines(head_ + tail_);
  return fmt::format("{}\n[{} left out]\n{}", base::printable_lines(head_), base::format_bytes(left_out_),
                     base::printable_lines(tail_));
}

Ending::Ending() : done_(base::make_pipe()) {}

void Ending::settle() {
  done_.second.reset();
}

void Ending::finish(ExitStatus status) {
  const std::lock_guard lock(mutex_);
  if (status_ || error_) return;
  status_ = status;
  settle();
}

void Ending::fail(base::Error error) {
  const std::lock_guard lock(mutex_);
  if (status_ || error_) return;
  error_ = std::move(error);
  settle();
}

bool Ending::done() const {
  const std::lock_guard lock(mutex_);
  return status_ || error_;
}

ExitStatus Ending::wait(base::Deadline deadline, const base::CancelToken& cancel) const {
  base::wait_readable(done_.first.get(), deadline, cancel);
  const std::lock_guard lock(mutex_);
  if (error_) throw base::Error(*error_);
  return *status_;
}

Process& Process::operator=(Process&& other) noexcept {
  stream = std::move(other.stream);  // first, so that the old process sees its end before its carrier goes
  line = std::move(other.line);
  keeper = std::move(other.keeper);
  errors = std::move(other.errors);
  ending = std::move(other.ending);
  return *this;
}

}  // namespace porter::transport
