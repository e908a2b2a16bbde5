#pragma once
// Runs a program for a handler: by argument list, in its own process group, which is ended at the deadline
// and with the connection.

#include "core/base/cancel.h"
#include "core/protocol/values.h"

namespace porter::agent {

// A failing program is a result. Throws Error(remote) when it cannot be started, Error(timeout), Interrupted
// when the connection ends.
protocol::RunResult run_program(const protocol::RunRequest& request, const base::CancelToken& lost);

}  // namespace porter::agent
