#pragma once
// The one table of exit codes (docs/exit-codes.md is checked against it). State beats cause: what the hosts
// run now matters more than why; the cause is in the message and in --json.

#include "core/base/error.h"

namespace porter::base {

enum class ExitCode : int {
  ok = 0,
  internal = 1,
  usage = 2,             // command line or configuration
  plan_has_changes = 3,  // only with plan --detailed-exitcode
  some_hosts_failed = 4,
  nothing_activated = 5,
  rolled_back = 6,
  rollback_failed = 7,
  unreachable = 8,  // or host key refused
  locked = 9,
  plugin_refused = 10,
  refused = 11,  // frozen, drift or stale plan
  interrupted = 130,
};

// The code for an error that ended a run before anything was staged.
ExitCode exit_code_for(Code code);

}  // namespace porter::base
