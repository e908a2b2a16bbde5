#include "core/engine/conductor.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.h"
#include "core/engine/connect.h"
#include "core/engine/journal.h"
#include "core/engine/live_module.h"
#include "core/engine/parallel.h"
#include "core/engine/prepare.h"
#include "core/engine/show_plan.h"

namespace porter::engine {
namespace {

using base::Code;
using base::Error;
using base::ExitCode;

// Puts what went wrong into the deployment's record; the first failure is the one that counts.
void attempt(Deployment& deployment, const std::function<void()>& work) {
  std::optional<Error> failure;
  try {
    work();
    return;
  } catch (const Error& error) {
    failure = error;
  } catch (const base::Errors& errors) {
    failure = errors.all().front();
  } catch (const base::Interrupted&) {
    failure = Error(Code::interrupted, "interrupted");
  } catch (const std::exception& error) {
    failure = Error(Code::internal, error.what());
  }
  if (!deployment.failure) deployment.failure = std::move(failure);
}

bool is_inplace(const Deployment& deployment) {
  return deployment.settings->layout() == settings::Layout::inplace;
}

bool is_unchanged(const Deployment& deployment) {
  const protocol::SiteState& site = deployment.before;
  return !site.current.empty() && site.seal.skip_key == deployment.skip_key && !site.drifted() &&
         !site.seal_damaged && site.pending.empty() && !deployment.module->forced;
}

// Errors after which an endpoint is dead.
bool broke(const Error& error) {
  return error.code() == Code::unreachable || error.code() == Code::timeout || error.code() == Code::protocol;
}

class Conductor {
 public:
  explicit Conductor(Run& run) : run_(run) {}

  ExitCode deploy() {
    fleet_ = prepare_fleet(run_);
    confirm();
    connect_all();
    look();
    if (none_to_do()) return finish_unchanged();
    open_scopes();
    for (const auto& module : fleet_.modules) {
      if (to_do(*module)) build_module(run_, fleet_, *module);
    }
    if (run_.request.dry_run) return show_plan();
    lock_all();
    journal_.emplace(run_.around.world.state_folder(), run_.request.run_id);
    const ExitCode code = stage_and_activate();
    if (nothing_open()) journal_->close();
    if (code == ExitCode::ok) forget_dead_runs();
    return code;
  }

 private:
  // --- before anything is staged: mistakes are thrown ---

  void confirm() {
    const settings::Config* config = run_.project.find_config(run_.request.config);
    if (config == nullptr || !config->confirm || run_.request.yes || run_.request.dry_run) return;
    const std::string what =
        fmt::format("deploy to {} ({} hosts)? [y/N] ", run_.request.config, fleet_.hosts.size());
    if (run_.request.interactive && run_.around.asker.confirm(what)) return;
    throw Error(Code::usage,
                fmt::format("config {} asks for a confirmation, and nobody gave one", run_.request.config))
        .at(config->where)
        .hint("--yes");
  }

  void connect_all() {
    std::vector<HostRun*> hosts;
    for (const auto& host : fleet_.hosts)
      hosts.push_back(host.get());
    for_each_at_once<HostRun>(hosts, [&](HostRun& host) { connect(run_, host); });
    run_.shield.user().check();
    throw_host_failures();
  }

  void throw_host_failures() {
    std::vector<Error> problems;
    for (const auto& host : fleet_.hosts) {
      if (host->failure) problems.push_back(*host->failure);
    }
    if (!problems.empty()) throw base::Errors(std::move(problems));
  }

  void throw_failures() {
    run_.shield.user().check();
    std::vector<Error> problems;
    for (const auto& deployment : fleet_.deployments) {
      if (deployment->failure) problems.push_back(*deployment->failure);
    }
    if (!problems.empty()) throw base::Errors(std::move(problems));
  }

  void look() {
    each_host([&](HostRun& host) {
      const std::vector<Deployment*> here = fleet_.on(host);
      attempt(*here.front(), [&] {
        std::vector<protocol::SiteQuery> queries;
        for (const Deployment* deployment : here)
          queries.push_back(site_query(*deployment));
        const std::vector<protocol::SiteState> states = host.endpoint->look(queries);
        for (std::size_t i = 0; i < here.size(); ++i)
          judge(*here[i], states.at(i));
      });
    });
    throw_failures();
  }

  void judge(Deployment& deployment, const protocol::SiteState& state) {
    deployment.before = state;
    if (state.standing == protocol::Standing::newer) {
      throw Error(Code::refused,
                  fmt::format("{} on {}: {}", deployment.site(), deployment.host_name(), state.reason))
          .hint("use the newer porter-admin that made it");
    }
    if (state.standing == protocol::Standing::foreign && !run_.request.adopt) {
      throw Error(Code::refused,
                  fmt::format("{} on {}: {}", deployment.site(), deployment.host_name(), state.reason))
          .hint("--adopt takes the folder over and leaves what is in it alone");
    }
    if (state.drifted()) {
      run_.around.sink.handle(
          event::Talk{event::Level::warning, "", deployment.module_name(), deployment.host_name(),
                      fmt::format("{} changed and {} missing since the last deploy: {}", state.drift_changed,
                                  state.drift_missing, base::join(state.drift, ", "))});
    }
    if (is_unchanged(deployment)) deployment.state = State::unchanged;
  }

  static bool to_do(const ModuleRun& module) {
    return std::any_of(module.targets.begin(), module.targets.end(),
                       [](const Deployment* one) { return one->to_do(); });
  }

  bool none_to_do() const {
    return std::none_of(fleet_.modules.begin(), fleet_.modules.end(),
                        [](const auto& module) { return to_do(*module); });
  }

  ExitCode finish_unchanged() {
    for (const auto& deployment : fleet_.deployments)
      tell_end(*deployment);
    return ExitCode::ok;
  }

  void open_scopes() {
    for (const auto& module : fleet_.modules) {
      if (!to_do(*module)) continue;
      module->stage_everywhere = [this, one = module.get()] { stage(*one); };
      module->run_default = [this, one = module.get()] { own_procedure(*one); };
      module->scope = std::make_unique<LiveModule>(run_, *module, *module->targets.front());
      module->scope->register_handlers();
      for (Deployment* deployment : module->targets) {
        if (!deployment->to_do()) continue;
        deployment->live = std::make_unique<LiveModule>(run_, *deployment);
        deployment->live->register_handlers();
      }
    }
  }

  ExitCode show_plan() {
    each_host([&](HostRun& host) {
      for (Deployment* deployment : fleet_.on(host)) {
        attempt(*deployment, [&] { run_.around.sink.handle(plan_of(*deployment)); });
      }
    });
    throw_failures();
    return ExitCode::ok;
  }

  void lock_all() {
    each_host([&](HostRun& host) {
      for (Deployment* deployment : fleet_.on(host)) {
        if (deployment->to_do())
          attempt(*deployment, [&] { host.endpoint->lock(lock_request(*deployment, run_)); });
      }
    });
    // On a failure the connections end here, and the locks with them.
    throw_failures();
  }

  // --- from here on a failure is undone and told ---

  ExitCode stage_and_activate() {
    for (const auto& module : fleet_.modules) {
      if (to_do(*module) && !stage_by_signal(*module)) return give_up(undo_code());
    }
    // The barrier: every host has every module sealed.
    try {
      run_.shield.raise();
    } catch (const base::Interrupted&) {
      return give_up(undo_code());
    }
    for (const auto& module : fleet_.modules) {
      activate(*module);
      if (any_failed() || run_.shield.user().cancelled()) return give_up(ExitCode::rolled_back);
    }
    for (const auto& module : fleet_.modules)
      commit(*module);
    return end();
  }

  // False when something failed.
  bool stage_by_signal(ModuleRun& module) {
    try {
      module.scope->signal(SIG_DEPLOY, {});
    } catch (const Error& error) {
      if (!any_failed()) module.targets.front()->failure = error;
      return false;
    } catch (const base::Interrupted&) {
      return false;
    }
    // A handler that replaced SIG_DEPLOY and did not call run_default() has done everything itself.
    for (Deployment* deployment : module.targets) {
      if (deployment->state == State::planned) deployment->state = State::committed;
    }
    return !any_failed() && !run_.shield.user().cancelled();
  }

  void stage(ModuleRun& module) {
    each_target(module, State::planned, [&](Deployment& one) { stage_one(one); });
    throw_first_failure(module);
  }

  void own_procedure(ModuleRun& module) {
    stage(module);
    // This module has no barrier of the run before it, and its way back must not be cut either.
    run_.shield.raise();
    activate(module);
    throw_first_failure(module);
    commit(module);
  }

  void stage_one(Deployment& one) {
    one.began = std::chrono::steady_clock::now();
    record(one, Step::staging);
    one.state = State::staging;
    one.live->signal(SIG_DEPLOY_START, {});
    one.live->signal(SIG_SOURCE_PRE_SEND, {});
    one.live->signal(SIG_SOURCE_SEND, {});
    one.live->ensure_stage();
    if (!is_inplace(one)) one.live->signal(SIG_SOURCE_POST_SEND, {});
    one.host->endpoint->seal(one.site(), seal_header(one, run_));
    one.state = State::sealed;
  }

  void activate(ModuleRun& module) {
    each_target(module, State::sealed, [&](Deployment& one) {
      record(one, Step::activating);
      one.state = State::activating;
      one.was_live = true;
      one.live->signal(SIG_PRE_ACTIVATE, {});
      one.live->signal(SIG_ACTIVATE, {});
      one.state = State::active;
      if (is_inplace(one)) {
        // Only now is the tree complete under the path that handlers know.
        one.live->signal(SIG_SOURCE_POST_SEND, {});
        one.host->endpoint->reseal(one.site(), one.module->release_id);
      }
      one.live->signal(SIG_POST_ACTIVATE, {});
      one.live->signal(SIG_HEALTH_CHECK, {});
    });
  }

  void commit(ModuleRun& module) {
    each_target(module, State::active, [&](Deployment& one) {
      record(one, Step::committing);
      const auto keep = static_cast<std::uint32_t>(one.settings->keep_releases());
      const protocol::CommitReport report =
          one.host->endpoint->commit(one.site(), one.module->release_id, keep, {});
      one.state = State::committed;
      record(one, Step::done);
      for (const std::string& warning : report.warnings) {
        run_.around.sink.handle(
            event::Talk{event::Level::warning, "", one.module_name(), one.host_name(), warning});
      }
      one.live->signal(SIG_DEPLOY_FINISH, {});
    });
  }

  ExitCode end() {
    bool failed = false;
    for (const auto& deployment : fleet_.deployments) {
      failed = failed || deployment->failure.has_value();
      tell_end(*deployment);
    }
    return failed ? ExitCode::some_hosts_failed : ExitCode::ok;
  }

  // Puts everything back, last module first. `code`: what it is when all of that works.
  ExitCode give_up(ExitCode code) {
    for (auto module = fleet_.modules.rbegin(); module != fleet_.modules.rend(); ++module) {
      std::vector<Deployment*> begun;
      for (Deployment* deployment : (*module)->targets) {
        const State state = deployment->state;
        const bool touched = state == State::staging || state == State::sealed ||
                             state == State::activating || state == State::active;
        if (touched) begun.push_back(deployment);
      }
      for_each_at_once<Deployment>(begun, [&](Deployment& one) { undo(one); });
    }
    bool undo_failed = false;
    bool some_stay = false;
    for (const auto& deployment : fleet_.deployments) {
      undo_failed = undo_failed || deployment->state == State::undo_failed;
      some_stay = some_stay || deployment->state == State::committed;
      tell_end(*deployment);
    }
    if (undo_failed) return ExitCode::rollback_failed;
    if (some_stay) return ExitCode::some_hosts_failed;
    const bool interrupted = run_.around.cancel.cancelled() && code == ExitCode::nothing_activated;
    return interrupted ? ExitCode::interrupted : code;
  }

  // What a failure before the barrier means: a module with a procedure of its own may have been live.
  ExitCode undo_code() const {
    const bool any_live = std::any_of(
        fleet_.deployments.begin(), fleet_.deployments.end(),
        [](const auto& one) { return one->state == State::activating || one->state == State::active; });
    return any_live ? ExitCode::rolled_back : ExitCode::nothing_activated;
  }

  void undo(Deployment& one) {
    const bool was_live = one.state == State::activating || one.state == State::active;
    tell_handlers(one, was_live);
    try {
      if (was_live) {
        take_back(one);
      } else {
        one.host->endpoint->discard(one.site(), one.module->release_id);
      }
      one.state = State::undone;
    } catch (const std::exception& error) {
      // A stage that cannot be discarded is cleaned by its agent, which ends with the connection, or by the
      // next deploy.
      one.state = was_live ? State::undo_failed : State::undone;
      if (was_live)
        tell_failure(
            one, Error(Code::remote, fmt::format("the release could not be taken back: {}", error.what())));
    }
    // A journal that cannot be written is settled once more, which changes nothing.
    if (one.state == State::undone) attempt(one, [&] { record(one, Step::done); });
  }

  void tell_handlers(Deployment& one, bool was_live) {
    const std::string error = one.failure ? one.failure->message() : "another host or module failed";
    try {
      one.live->signal(SIG_DEPLOY_FAILED, {{"phase", was_live ? "activate" : "stage"}, {"error", error}});
    } catch (const std::exception& failure) {
      run_.around.sink.handle(
          event::Talk{event::Level::warning, "", one.module_name(), one.host_name(), failure.what()});
    }
  }

  // A connection that broke in the middle is made anew: what is live matters more than what broke.
  void take_back(Deployment& one) {
    try {
      one.host->endpoint->revert(one.site(), one.module->release_id, "");
    } catch (const Error& error) {
      if (!broke(error)) throw;  // its lock is still held by the connection that said so
      HostRun again;
      again.host = one.host->host;
      again.become = one.host->become;
      connect(run_, again);
      if (again.failure) throw Error(*again.failure);
      again.endpoint->lock(lock_request(one, run_));
      again.endpoint->revert(one.site(), one.module->release_id, "");
    }
  }

  // --- help ---

  // Nothing is left that a settler would have to put back.
  bool nothing_open() const {
    return std::none_of(fleet_.deployments.begin(), fleet_.deployments.end(), [](const auto& one) {
      return one->state == State::undo_failed || one->state == State::activating ||
             one->state == State::active;
    });
  }

  // Runs whose supervisor and worker both died left their journals; a deploy that went over the same places
  // has put all of that right.
  void forget_dead_runs() {
    std::vector<JournalEntry> places;
    for (const auto& one : fleet_.deployments)
      places.push_back({Step::done, one->module_name(), one->host_name(), one->site(), ""});
    Journal::forget_dead(run_.around.world.state_folder(), places);
  }

  void record(const Deployment& one, Step step) {
    journal_->record({step, one.module_name(), one.host_name(), one.site(), one.module->release_id});
  }

  bool any_failed() const {
    return std::any_of(fleet_.deployments.begin(), fleet_.deployments.end(),
                       [](const auto& one) { return one->failure.has_value(); });
  }

  static void throw_first_failure(const ModuleRun& module) {
    for (const Deployment* deployment : module.targets) {
      if (deployment->failure) throw Error(*deployment->failure);
    }
  }

  void each_host(const std::function<void(HostRun&)>& work) {
    std::vector<HostRun*> hosts;
    for (const auto& host : fleet_.hosts)
      hosts.push_back(host.get());
    for_each_at_once<HostRun>(hosts, work);
  }

  // The module's deployments in this state, on all hosts at once.
  void each_target(ModuleRun& module, State state, const std::function<void(Deployment&)>& work) {
    std::vector<Deployment*> here;
    for (Deployment* deployment : module.targets) {
      if (deployment->state == state) here.push_back(deployment);
    }
    for_each_at_once<Deployment>(here, [&](Deployment& one) { attempt(one, [&] { work(one); }); });
  }

  void tell_failure(const Deployment& one, const Error& error) {
    run_.around.sink.handle(event::Failure{one.host_name(), one.module_name(), static_cast<int>(error.code()),
                                           base::format_error(error)});
  }

  static event::Outcome outcome_of(const Deployment& one) {
    switch (one.state) {
      case State::unchanged:
        return event::Outcome::unchanged;
      case State::committed:
        return one.failure ? event::Outcome::failed : event::Outcome::deployed;
      case State::undo_failed:
        return event::Outcome::rollback_failed;
      case State::undone:
        if (one.failure && one.failure->code() != Code::interrupted) return event::Outcome::failed;
        return one.was_live ? event::Outcome::rolled_back : event::Outcome::not_activated;
      case State::activating:
      case State::active:
        return event::Outcome::failed;  // live, and its commit record could not be written
      case State::planned:
      case State::staging:
      case State::sealed:
        return event::Outcome::not_activated;
    }
    return event::Outcome::not_activated;
  }

  void tell_end(const Deployment& one) {
    if (one.failure && one.failure->code() != Code::interrupted) tell_failure(one, *one.failure);
    event::ModuleFinished end;
    end.module = one.module_name();
    end.host = one.host_name();
    end.outcome = outcome_of(one);
    end.release_id = one.to_do() ? one.module->release_id : one.before.current;
    end.version = one.module->checkout.version;
    end.files_whole = one.report.files_whole;
    end.files_delta = one.report.files_delta;
    end.files_kept = one.report.files_kept + one.report.files_cloned;
    end.files_deleted = one.report.files_deleted;
    end.bytes_sent = one.report.wire_out;
    end.bytes_received = one.report.wire_in;
    end.tree_bytes = one.composed ? one.composed->tree.byte_count() : 0;
    const bool begun = one.began != std::chrono::steady_clock::time_point();
    if (begun)
      end.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - one.began).count();
    run_.around.sink.handle(end);
  }

  Run& run_;
  Fleet fleet_;
  std::optional<Journal> journal_;
};

}  // namespace

base::ExitCode deploy(Run& run) {
  load_project(run);
  return Conductor(run).deploy();
}

}  // namespace porter::engine
