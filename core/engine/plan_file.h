#pragma once
// `plan --out FILE` and `deploy --plan FILE`: what a plan was made from (what is live on each target, and the
// composed tree, settings and handlers of each module), so that a later deploy can refuse when any of it is
// another. JSON; docs/formats.md describes it.

#include <filesystem>
#include <map>
#include <string>

#include "core/engine/walk.h"

namespace porter::engine {

// What one module on one host was planned from. Digests as hex.
struct Basis {
  std::string module;
  std::string host;
  std::string live;       // release id; "" for none
  std::string live_root;  // root digest of the live release's seal
  std::string composed;   // root digest of the composed tree
  std::string key;        // settings, handlers and config with it: the skip key
  std::string version;    // for people
};

struct Plan {
  std::string file;                      // as typed
  std::map<std::string, Basis> targets;  // by "MODULE on HOST"
};

// After everything was looked at and composed. Throws base::Error(io).
void write_plan(const Walk& walk, const std::filesystem::path& file);
// The one of Request::plan_file. Throws base::Error(bad_value) for what is no plan.
Plan read_plan(const Request& request);
// Throws base::Errors(stale_plan) that name what changed.
void hold_to_plan(const Walk& walk, const Plan& plan);

}  // namespace porter::engine
