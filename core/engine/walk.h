#pragma once
// What the phases of one walk over modules and hosts share, and how a piece of work is done on all of them:
// failures go into the records, so that one host's mistake does not cut another's step short. The conductor's
// thread owns it; the work runs on a thread for each host.

#include <functional>
#include <memory>
#include <optional>

#include "core/engine/content_pack.h"
#include "core/engine/kept_source.h"
#include "core/engine/prepare.h"
#include "core/engine/run.h"
#include "core/engine/run_folder.h"

namespace porter::engine {

struct Walk {
  explicit Walk(Run& the_run) : run(the_run) {}

  Run& run;
  Fleet fleet;
  std::optional<RunFolder> folder;   // once something is about to change
  std::unique_ptr<KeptSource> kept;  // of that folder, for a deploy; before `contents`, which uses it
  std::unique_ptr<ContentPack> contents;

  // From now on what is sent is kept in the folder.
  void keep_contents();
  void end_contents();

  void each_host(const std::function<void(HostRun&)>& work);
  void each_module_on_host(const std::function<void(HostRun&, Deployment&)>& work);
  // The module's deployments in this state, on all hosts at once.
  void each_target(ModuleRun& module, State state, const std::function<void(Deployment&)>& work);

  // Durable when it returns. Nothing is written without a folder.
  void record(const Deployment& one, Step step);
  bool any_failed() const;
  bool interrupted() const { return run.shield.user().cancelled(); }
  // Throws Interrupted, or base::Errors with all failures of the records.
  void throw_failures() const;
  void warn(const Deployment& one, const std::string& text) const;
};

// Puts what work() throws into the deployment's record; the first failure is the one that counts.
void attempt(Deployment& deployment, const std::function<void()>& work);

bool to_do(const ModuleRun& module);
bool is_inplace(const Deployment& deployment);
// Throws the module's first failure.
void throw_first_failure(const ModuleRun& module);

}  // namespace porter::engine
