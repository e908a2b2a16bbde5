#pragma once
// The walk of one deploy, phase by phase: look, build, lock, stage, barrier, activate, commit, finish; or
// back. The conductor decides and writes the journal; what happens on a host happens on a thread of the
// handler pool.

#include "core/base/exit_code.h"
#include "core/engine/run.h"

namespace porter::engine {

// Throws base::Error, base::Errors and Interrupted for what went wrong before anything was staged; later
// failures are Failure events and the exit code.
base::ExitCode deploy(Run& run);

}  // namespace porter::engine
