#pragma once
// The walk of one deploy, phase by phase: look, build, lock, stage, barrier, activate, commit, finish; or
// back. The conductor decides and writes the journal; what happens on a host happens on a thread of the
// handler pool.

#include "core/base/exit_code.h"
#include "core/engine/run.h"

namespace porter::engine {

class RunFolder;

// Throws base::Error, base::Errors and Interrupted for what went wrong before anything was staged; later
// failures are Failure events and the exit code.
base::ExitCode deploy(Run& run);
// The same for a run that ended early and whose folder is settled: with the source and to the places that are
// kept. Throws Error(stale_plan) when somebody else deployed there since.
base::ExitCode deploy_again(Run& run, RunFolder folder);

}  // namespace porter::engine
