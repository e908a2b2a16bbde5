#pragma once
// Commands that only show something: plugins, hosts, unfinished runs, explain. Nothing is loaded and no host
// is contacted.

#include "core/base/exit_code.h"
#include "core/base/world.h"
#include "core/cli/arguments.h"

namespace porter::cli {

// All plugins on the search path, or one with its options and arguments. A plugin that would be refused is
// listed with the reason; naming it gives plugin_refused.
base::ExitCode list_plugins(const Invocation& invocation, const base::World& world);
// The runs of this user that did not end well, oldest first; ok also when there are none.
base::ExitCode list_runs(const Invocation& invocation, const base::World& world);
base::ExitCode list_hosts(const Invocation& invocation, const base::World& world);
base::ExitCode explain(const Invocation& invocation, const base::World& world);

}  // namespace porter::cli
