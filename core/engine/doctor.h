#pragma once
// `porter-admin doctor`: is everything there that a deploy needs, on this machine and on every host, and what
// to do where it is not. Changes nothing.

#include "core/base/exit_code.h"
#include "core/engine/run.h"

namespace porter::engine {

// One Checked event for each thing looked at. ok, or some_hosts_failed when there is a problem; warnings are
// none.
base::ExitCode examine(Run& run);

}  // namespace porter::engine
