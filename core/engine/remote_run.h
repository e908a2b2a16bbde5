#pragma once
// `porter-admin run [--host …] -- CMD`: one program on several hosts at once, by argument list.

#include "core/base/exit_code.h"
#include "core/engine/run.h"

namespace porter::engine {

// Its output is printed host by host, each line with the host's name. some_hosts_failed when it failed
// anywhere.
base::ExitCode run_on_hosts(Run& run);

}  // namespace porter::engine
