#include "core/base/cancel.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>

#include "core/base/error.h"
#include "core/base/fd.h"

namespace porter::base {

struct CancelToken::State {
  std::atomic<bool> cancelled{false};
  UniqueFd event;
};

CancelToken::CancelToken() : state_(std::make_shared<State>()) {
  state_->event.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!state_->event) throw_errno("eventfd");
}

void CancelToken::cancel() const {
  if (state_->cancelled.exchange(true)) return;
  const std::uint64_t one = 1;
  // Cannot fail: the counter starts at 0 and is raised once.
  [[maybe_unused]] const ssize_t written = ::write(state_->event.get(), &one, sizeof one);
}

bool CancelToken::cancelled() const {
  return state_->cancelled.load();
}

void CancelToken::check() const {
  if (cancelled()) throw Interrupted();
}

int CancelToken::descriptor() const {
  return state_->event.get();
}

}  // namespace porter::base
