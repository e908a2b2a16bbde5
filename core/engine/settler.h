#pragma once
// Settling: what a run left half done when its process ended is put back, or completed when that was decided,
// from the run's folder alone: no project is read and no plugin loaded.

#include "core/base/exit_code.h"
#include "core/engine/run.h"

namespace porter::engine {

class RunFolder;

// For the run of the request. Stages are discarded, live but uncommitted releases reverted; from the first
// commit on, which decides for all, live ones are committed. nothing_activated, rolled_back,
// some_hosts_failed or rollback_failed; internal when there is nothing to settle. Throws Error(locked) and
// DamagedRun.
base::ExitCode settle(Run& run);

// The same for a run that goes on: stages stay. False when something could not be settled, which is told.
bool settle_to_resume(Run& run, RunFolder& folder);

}  // namespace porter::engine
