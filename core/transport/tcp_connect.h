#pragma once
// A TCP connection within a deadline. Blocks the calling thread; the look-up of the name happens on a thread
// of its own, since the system's resolver knows no deadline.

#include <string>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/base/fd.h"

namespace porter::transport {

// Tries every address of the name in order. The descriptor is non-blocking, with TCP_NODELAY. Throws
// Error(unreachable) with the reason of the last address, Error(timeout), Interrupted.
base::UniqueFd tcp_connect(const std::string& host, int port, base::Deadline deadline,
                           const base::CancelToken& cancel);

}  // namespace porter::transport
