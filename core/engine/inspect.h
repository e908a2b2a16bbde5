#pragma once
// The commands that look at sites and change no release: status, releases (with pins), history, diff, freeze
// and unfreeze. Results are events; a host that cannot be reached is told and does not keep the others back.

#include "core/base/exit_code.h"
#include "core/engine/run.h"

namespace porter::engine {

// ok, some_hosts_failed, unreachable when no host answered; plan_has_changes for a diff that found something
// and whose request wants the exit code to say so. Throws base::Error and base::Errors for mistakes of the
// user.
base::ExitCode inspect(Run& run);

}  // namespace porter::engine
