#pragma once
// From sealed to live to committed, a module on all its hosts at once; what a deploy and a rollback have in
// common. Failures go into the records.

#include "core/engine/walk.h"

namespace porter::engine {

// SIG_PRE_ACTIVATE, files outside of the tree, SIG_ACTIVATE, SIG_POST_ACTIVATE and SIG_HEALTH_CHECK for every
// deployment that is sealed. `phase` stands in the context that handlers get.
void activate(Walk& walk, ModuleRun& module, Phase phase);
// The activation is to stay, which is on disk here before anything is committed: should this process end
// between two commits, the settler completes all of them.
void decide(Walk& walk, ModuleRun& module);
// The activation stays. Then `finish` is told to the handlers.
void commit(Walk& walk, ModuleRun& module, const protocol::CommitNote& note, const Signal& finish);

}  // namespace porter::engine
