#include "core/engine/conductor.h"

#include <algorithm>
#include <future>
#include <optional>

#include "core/engine/activation.h"
#include "core/engine/approach.h"
#include "core/engine/composition.h"
#include "core/engine/keep.h"
#include "core/engine/live_module.h"
#include "core/engine/outcome.h"
#include "core/engine/plan_file.h"
#include "core/engine/resume.h"
#include "core/engine/show_plan.h"
#include "core/engine/unfinished_runs.h"
#include "core/engine/walk.h"
#include "core/engine/way_back.h"

namespace porter::engine {
namespace {

using base::Error;
using base::ExitCode;

class Conductor {
 public:
  explicit Conductor(Run& run) : run_(run), walk_(run) {}
  Conductor(Run& run, RunFolder folder) : Conductor(run) { walk_.folder.emplace(std::move(folder)); }

  ExitCode deploy() {
    const ExitCode code = walk_to_end();
    walk_.end_contents();
    tell_stats(run_, walk_.fleet.hosts);
    if (run_.request.dry_run) return code;
    // What was begun and is not whole is kept for a resume.
    if (walk_.folder && (code == ExitCode::ok || walk_.folder->is_committed())) walk_.folder->remove();
    if (code == ExitCode::ok) forget_dead_runs();
    return code;
  }

 private:
  ExitCode walk_to_end() {
    if (!run_.request.plan_file.empty())
      plan_ = read_plan(run_.request);  // before anybody waits for anything
    prepare_and_reach();
    judge_all(walk_);
    if (none_to_do()) return finish_unchanged();
    if (run_.resumes) renew_release_ids(walk_);
    prepare_modules();
    if (run_.request.dry_run) return show();
    lock_all(walk_);
    if (none_to_do()) return finish_unchanged();  // somebody else did it while we waited
    if (plan_) hold_to_plan(walk_, *plan_);
    prepare_modules();  // those that somebody else changed while we waited
    if (run_.resumes)
      keep_more(walk_);
    else
      keep_run(walk_);
    return stage_and_activate();
  }

  // Sources are read while hosts are being reached, unless somebody is to be asked before.
  void prepare_and_reach() {
    walk_.fleet = run_.resumes ? prepare_again(run_, *walk_.folder) : open_deploy(run_);
    const auto compose = [this] {
      const Stats::Lap lap(run_.stats, "compose", "");
      if (!run_.resumes) compose_fleet(run_, fleet());  // a resumed run has its trees
    };
    if (asks_for_confirmation(walk_)) {
      compose();
      confirm(walk_, "deploy to");
      return reach_all(walk_);
    }
    auto reached = std::async(std::launch::async, [this] { reach_all(walk_); });
    try {
      compose();
    } catch (...) {
      run_.shield.abandon();
      throw;
    }
    reached.get();
  }

  Fleet& fleet() { return walk_.fleet; }

  bool none_to_do() {
    return std::none_of(fleet().modules.begin(), fleet().modules.end(),
                        [](const auto& module) { return to_do(*module); });
  }

  ExitCode finish_unchanged() {
    if (run_.request.dry_run) return show();
    if (plan_) hold_to_plan(walk_, *plan_);
    return end();
  }

  // What a deploy would refuse is shown, too, before it is refused.
  ExitCode show() {
    const ExitCode code = show_plan(walk_);
    if (plan_) hold_to_plan(walk_, *plan_);
    return code;
  }

  // Handlers of what something is to be done to, and builds: each module once.
  void prepare_modules() {
    std::vector<ModuleRun*> added;
    for (const auto& module : fleet().modules) {
      if (!to_do(*module)) continue;
      if (!module->scope) added.push_back(module.get());
      module->stage_everywhere = [this, one = module.get()] { stage(*one); };
      module->run_default = [this, one = module.get()] { own_procedure(*one); };
      open_scope(run_, *module);
    }
    if (run_.resumes) return;
    for (ModuleRun* module : added)
      build_module(run_, fleet(), *module);
  }

  ExitCode stage_and_activate() {
    for (const auto& module : fleet().modules) {
      if (to_do(*module) && !stage_by_signal(*module)) return give_up(walk_, code_before_barrier(walk_));
    }
    // The barrier: every host has every module sealed.
    try {
      run_.shield.raise();
    } catch (const base::Interrupted&) {
      return give_up(walk_, code_before_barrier(walk_));
    }
    for (const auto& module : fleet().modules) {
      activate(walk_, *module, Phase::activate);
      if (walk_.any_failed() || walk_.interrupted()) return give_up(walk_, ExitCode::rolled_back);
    }
    for (const auto& module : fleet().modules)
      decide(walk_, *module);
    for (const auto& module : fleet().modules)
      commit(*module);
    return end();
  }

  // False when something failed.
  bool stage_by_signal(ModuleRun& module) {
    try {
      module.scope->signal(SIG_DEPLOY, {});
    } catch (const Error& error) {
      if (!walk_.any_failed()) module.targets.front()->failure = error;
      return false;
    } catch (const base::Interrupted&) {
      return false;
    }
    // A handler that replaced SIG_DEPLOY and did not call run_default() has done everything itself.
    for (Deployment* deployment : module.targets) {
      if (deployment->state == State::planned) deployment->state = State::committed;
    }
    return !walk_.any_failed() && !walk_.interrupted();
  }

  void stage(ModuleRun& module) {
    walk_.each_target(module, State::planned, [&](Deployment& one) { stage_one(one); });
    throw_first_failure(module);
  }

  void own_procedure(ModuleRun& module) {
    stage(module);
    // This module has no barrier of the run before it, and its way back must not be cut either.
    run_.shield.raise();
    activate(walk_, module, Phase::activate);
    throw_first_failure(module);
    decide(walk_, module);
    commit(module);
  }

  void stage_one(Deployment& one) {
    one.began = std::chrono::steady_clock::now();
    walk_.record(one, Step::staging);
    one.state = State::staging;
    one.live->signal(SIG_DEPLOY_START, {});
    one.live->signal(SIG_SOURCE_PRE_SEND, {});
    one.live->signal(SIG_SOURCE_SEND, {});
    one.live->ensure_stage();
    if (!is_inplace(one)) one.live->signal(SIG_SOURCE_POST_SEND, {});
    one.host->endpoint->seal(one.site(), seal_header(one, run_), touched(one));
    one.state = State::sealed;
  }

  // Handlers may write into the stage from the moment that it is there.
  static protocol::Touched touched(const Deployment& one) {
    const bool handled = one.live->has_foreign_handlers(SIG_SOURCE_SEND) ||
                         one.live->has_foreign_handlers(SIG_SOURCE_POST_SEND);
    return handled ? protocol::Touched::maybe : protocol::Touched::no;
  }

  void commit(ModuleRun& module) {
    const Request& request = run_.request;
    engine::commit(walk_, module, {"commit", request.config, request.message}, SIG_DEPLOY_FINISH);
  }

  ExitCode end() {
    for (const auto& deployment : fleet().deployments)
      tell_end(run_, *deployment);
    return walk_.any_failed() ? ExitCode::some_hosts_failed : ExitCode::ok;
  }

  // Runs that ended early left their folders; a deploy that went over the same places has put all that right.
  void forget_dead_runs() {
    std::vector<Place> places;
    for (const auto& one : fleet().deployments)
      places.push_back(place_of(*one, run_));
    forget_covered_runs(run_.around.world.state_folder(), places);
  }

  Run& run_;
  Walk walk_;
  std::optional<Plan> plan_;  // that this run is held to
};

}  // namespace

base::ExitCode deploy(Run& run) {
  load_project(run);
  return Conductor(run).deploy();
}

base::ExitCode deploy_again(Run& run, RunFolder folder) {
  load_project(run);
  return Conductor(run, std::move(folder)).deploy();
}

}  // namespace porter::engine
