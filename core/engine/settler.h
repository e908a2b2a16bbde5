#pragma once
// Settling: what a run left half done when its process ended is put back, from the journal alone and without
// plugins.

#include "core/base/exit_code.h"
#include "core/engine/run.h"

namespace porter::engine {

// Stages are discarded, live but uncommitted releases reverted. nothing_activated, rolled_back, or
// rollback_failed.
base::ExitCode settle(Run& run);

}  // namespace porter::engine
