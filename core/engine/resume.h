#pragma once
// `porter-admin resume RUN`: a run that ended early is settled where that must be, and then goes on with the
// source and to the places that its folder keeps.

#include "core/base/exit_code.h"
#include "core/engine/engine.h"
#include "core/engine/walk.h"

namespace porter::engine {

// The run that request.run_id names. Throws Error(missing) with the known ones, Error(locked) for one that is
// alive, DamagedRun, and what deploy() does.
base::ExitCode resume(const Request& request, const Surroundings& around);

// The parts of a deploy that a resumed one does in another way; called by the conductor.

// The fleet of the run's places: settings and plugins of today, composed trees and versions of then. Throws
// base::Error and base::Errors.
Fleet prepare_again(Run& run, const RunFolder& folder);
// Throws Error(stale_plan) unless the site has what it had when the run began, or what the run brought.
void check_not_stale(const Walk& walk, const Deployment& deployment);
// Release ids that cannot be used again on some host are replaced, for all hosts of the module. After look().
void renew_release_ids(Walk& walk);
// Releases that were sealed before the run was interrupted need not be sent again; with the locks held.
// Throws what Walk::throw_failures() does.
void take_over_sealed(Walk& walk);

}  // namespace porter::engine
