#pragma once
// `plan --out FILE` and `deploy --plan FILE`: what a plan was made from (what is live on each target, and the
// composed tree, settings and handlers of each module), so that a later deploy can refuse when any of it is
// another. JSON; docs/formats.md describes it.

#include <filesystem>
#include <map>
#include <string>

#include "core/engine/walk.h"

namespace porter::engine {

// What was asked for, as far as the targets do not say it.
struct Terms {
  std::string project;  // id
  std::string config;
  std::string ref;
  bool adopt = false;
  std::string arguments;  // of plugins: their digest, "" for none
};

// What one module on one host was planned from. Digests as hex.
struct Basis {
  std::string module;
  std::string host;
  std::string login;  // the machine, and who works there: "ada@10.0.0.5:22 as www"
  bool forced = false;
  std::string live;       // release id; "" for none
  std::string live_root;  // root digest of the live release's seal
  std::string composed;   // root digest of the composed tree
  std::string key;        // settings, handlers and config with it: the skip key
  std::string version;    // for people
};

struct Plan {
  std::string file;  // as typed
  Terms terms;
  std::map<std::string, Basis> targets;  // by "MODULE on HOST"
};

// After everything was looked at and composed. Throws base::Error(io).
void write_plan(const Walk& walk, const std::filesystem::path& file);
// The one of Request::plan_file. Throws base::Error(bad_value) for what is no plan, and for one that is not
// as it was written.
Plan read_plan(const Request& request);
// Throws base::Errors(stale_plan) that name what is another, in the request or on the targets.
void hold_to_plan(const Walk& walk, const Plan& plan);

}  // namespace porter::engine
