#include "core/cli/signal_stream.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include "core/base/error.h"

namespace porter::cli {

SignalStream::SignalStream() {
  sigemptyset(&set_);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP})
    sigaddset(&set_, signal);
  fd_.reset(::signalfd(-1, &set_, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd_) base::throw_errno("signalfd");
  ::pthread_sigmask(SIG_BLOCK, &set_, &before_);
}

SignalStream::~SignalStream() {
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

bool SignalStream::take() const {
  signalfd_siginfo info;
  return ::read(fd_.get(), &info, sizeof info) == sizeof info;
}

}  // namespace porter::cli
