#pragma once
// What a deploy would do, from real manifests of both sides: files and bytes, settings in config files, and
// whose handlers will run. Changes nothing on any target.

#include "core/engine/walk.h"

namespace porter::engine {

// Which entries would change, deletions first, and how much would travel. Throws what Endpoint::compare()
// does.
event::Planned plan_files(const Deployment& one);

// One Planned event for every module and host; writes Request::plan_out when it is asked for. Behind
// look() and the builds. plan_has_changes only when the request wants the exit code to say so.
base::ExitCode show_plan(Walk& walk);

}  // namespace porter::engine
