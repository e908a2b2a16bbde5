#pragma once
// What a deploy would do to a module on a host, from real manifests of both sides. Changes nothing.

#include "core/engine/deployment.h"
#include "core/event/event.h"

namespace porter::engine {

// Deletions first, then changed files, then new ones. Throws what Endpoint::compare() does.
event::Planned plan_of(const Deployment& deployment);

}  // namespace porter::engine
