#pragma once
// `plan --out FILE` and `deploy --plan FILE`: what a plan was made from (what is live on each target, and the
// composed tree, settings and handlers of each module), so that a later deploy can refuse when any of it is
// another. JSON; docs/formats.md describes it.

#include <filesystem>

#include "core/engine/walk.h"

namespace porter::engine {

// After everything was looked at and composed. Throws base::Error(io).
void write_plan(const Walk& walk, const std::filesystem::path& file);
// Throws base::Errors(stale_plan) that name what changed, base::Error(bad_value) for what is no plan.
void hold_to_plan(const Walk& walk);

}  // namespace porter::engine
