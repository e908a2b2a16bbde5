#pragma once
// The way back: what a run has begun is taken back, last module first, on all hosts at once; and what that
// makes of the run. Behind it every record is undone, undo_failed, or as it was.

#include "core/engine/walk.h"

namespace porter::engine {

// `code`: what the run has come to when all of it can be taken back. Tells the end of every record.
base::ExitCode give_up(Walk& walk, base::ExitCode code);
// What a failure means that came before the barrier: a module with a procedure of its own may have been live.
base::ExitCode code_before_barrier(const Walk& walk);

}  // namespace porter::engine
