#pragma once
// Ctrl-C and its relatives (SIGINT, SIGTERM, SIGHUP) as something to poll. While one lives the signals do not
// end the process; what arrived and was not taken is delivered in the ordinary way once the last one is gone.
// Main thread only, before other threads start.

#include <signal.h>

#include "core/base/fd.h"

namespace porter::cli {

class SignalStream {
 public:
  // Throws base::Error(io).
  SignalStream();
  ~SignalStream();
  SignalStream(const SignalStream&) = delete;
  SignalStream& operator=(const SignalStream&) = delete;

  // Readable while a signal waits.
  int descriptor() const { return fd_.get(); }
  // Takes one; false when none waits.
  bool take() const;

 private:
  sigset_t set_{};
  sigset_t before_{};
  base::UniqueFd fd_;
};

}  // namespace porter::cli
