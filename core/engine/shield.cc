#include "core/engine/shield.h"

#include "core/base/error.h"
#include "core/base/fd.h"

namespace porter::engine {

Shield::Shield(base::CancelToken user) : user_(std::move(user)), watcher_([this] { watch(); }) {}

Shield::~Shield() {
  ended_.cancel();
  watcher_.join();
}

void Shield::raise() {
  const std::lock_guard lock(mutex_);
  user_.check();
  raised_ = true;
}

void Shield::watch() {
  try {
    base::wait_readable(user_.descriptor(), base::Deadline::never(), ended_);
  } catch (const base::Interrupted&) {
    return;
  }
  const std::lock_guard lock(mutex_);
  if (!raised_) waits_.cancel();
}

}  // namespace porter::engine
