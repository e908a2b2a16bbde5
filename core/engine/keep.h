#pragma once
// Before anything is staged, what a settler or a resume would need goes into the run's folder: places,
// composed trees, and the bytes that a target lacks. What its live release has by its seal is not kept, so
// that the cost follows the change and not the tree. Blocks; on the conductor's thread, when all sites are
// locked.

#include "core/engine/walk.h"

namespace porter::engine {

// All of them make walk.folder, or bring it up to date. They throw base::Error and Interrupted.

// A deploy that begins.
void keep_run(Walk& walk);
// One that goes on: what was sealed before is taken over; what is still to be sent, and is not kept yet, is
// kept now; release ids are written anew.
void keep_more(Walk& walk);
// A rollback, which sends nothing.
void keep_places(Walk& walk);

}  // namespace porter::engine
