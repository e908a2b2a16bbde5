#pragma once
// `porter-admin rollback`: an older sealed release is made live again, on all hosts or none, with its files
// outside of the tree. Handlers are those that the project has now.

#include "core/base/exit_code.h"
#include "core/engine/run.h"

namespace porter::engine {

// Throws base::Error, base::Errors and Interrupted for what went wrong before anything was switched.
base::ExitCode rollback(Run& run);

}  // namespace porter::engine
