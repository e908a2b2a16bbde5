#include "core/engine/way_back.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/engine/composition.h"
#include "core/engine/connect.h"
#include "core/engine/live_module.h"
#include "core/engine/outcome.h"
#include "core/engine/parallel.h"

namespace porter::engine {
namespace {

using base::Code;
using base::Error;
using base::ExitCode;

bool is_live(State state) {
  return state == State::activating || state == State::active;
}

bool is_begun(State state) {
  return state == State::staging || state == State::sealed || is_live(state);
}

// Errors after which an endpoint is dead.
bool broke(const Error& error) {
  return error.code() == Code::unreachable || error.code() == Code::timeout || error.code() == Code::protocol;
}

// Why a release is kept as a bad one: it failed itself. One that another host's failure took along, or that
// was interrupted, is as good as any.
std::string verdict_on(const Walk& walk, const Deployment& one) {
  const bool itself = one.failure && one.failure->code() != Code::interrupted && !broke(*one.failure);
  return itself && walk.run.request.action != Action::rollback ? one.failure->message() : "";
}

std::string reason_of(const Deployment& one) {
  return one.failure ? one.failure->message() : "another host or module failed";
}

// A handler that fails on the way back is heard, and stops nothing.
void tell_handlers(Walk& walk, Deployment& one, const Signal& signal, const SignalContext& context) {
  try {
    one.live->signal(signal, to_payload(context));
  } catch (const std::exception& failure) {
    walk.warn(one, failure.what());
  }
}

void tell_failed(Walk& walk, Deployment& one, Phase phase) {
  tell_handlers(walk, one, SIG_DEPLOY_FAILED, {phase, reason_of(one), one.before.current, one.release_id});
}

// A connection that broke in the middle is made anew: what is live matters more than what broke.
void take_back(Walk& walk, Deployment& one) {
  const std::string verdict = verdict_on(walk, one);
  try {
    one.host->endpoint->revert(one.site(), one.release_id, verdict);
  } catch (const Error& error) {
    if (!broke(error)) throw;  // its lock is still held by the connection that said so
    HostRun again;
    again.host = one.host->host;
    again.become = one.host->become;
    connect(walk.run, again);
    if (again.failure) throw Error(*again.failure);
    lock_again(walk.run, again, lock_request(one, walk.run));
    again.endpoint->revert(one.site(), one.release_id, verdict);
  }
}

// Services that follow the live release are told that it is an older one again.
void undo_live(Walk& walk, Deployment& one) {
  tell_failed(walk, one, walk.run.request.action == Action::rollback ? Phase::rollback : Phase::activate);
  take_back(walk, one);
  tell_handlers(walk, one, SIG_ROLLBACK,
                {Phase::rollback, reason_of(one), one.release_id, one.before.current});
}

void undo_stage(Walk& walk, Deployment& one) {
  tell_failed(walk, one, Phase::stage);
  try {
    one.host->endpoint->discard(one.site(), one.release_id);
  } catch (const Error& error) {
    // An undo step that failed left something behind; a stage that cannot be discarded is cleaned by its
    // agent, which ends with the connection, or by the next deploy.
    if (error.code() == Code::remote) throw;
  } catch (const base::Interrupted&) {
  }
}

void undo(Walk& walk, Deployment& one) {
  const bool was_live = is_live(one.state);
  try {
    if (was_live)
      undo_live(walk, one);
    else if (walk.run.request.action != Action::rollback)  // else it is a release of an earlier deploy
      undo_stage(walk, one);
    one.state = State::undone;
  } catch (const std::exception& error) {
    one.state = State::undo_failed;
    tell_failure(walk.run, one,
                 Error(Code::remote, fmt::format("the release could not be taken back: {}", error.what())));
  }
  // A journal that cannot be written is settled once more, which changes nothing.
  if (one.state == State::undone) attempt(one, [&] { walk.record(one, Step::undone); });
}

}  // namespace

ExitCode give_up(Walk& walk, ExitCode code) {
  auto& modules = walk.fleet.modules;
  for (auto module = modules.rbegin(); module != modules.rend(); ++module) {
    std::vector<Deployment*> begun;
    for (Deployment* one : (*module)->targets) {
      if (is_begun(one->state)) begun.push_back(one);
    }
    for_each_at_once<Deployment>(begun, [&](Deployment& one) { undo(walk, one); });
  }
  bool undo_failed = false;
  bool some_stay = false;
  bool failed = false;
  for (const auto& one : walk.fleet.deployments) {
    undo_failed = undo_failed || one->state == State::undo_failed;
    some_stay = some_stay || one->state == State::committed;
    failed = failed || (one->failure && one->failure->code() != Code::interrupted);
    tell_end(walk.run, *one);
  }
  if (undo_failed) return ExitCode::rollback_failed;
  if (some_stay) return ExitCode::some_hosts_failed;
  // Every host runs what it ran before: who stopped the run knows why, unless something failed as well.
  return walk.run.around.cancel.cancelled() && !failed ? ExitCode::interrupted : code;
}

ExitCode code_before_barrier(const Walk& walk) {
  const auto& all = walk.fleet.deployments;
  const bool any = std::any_of(all.begin(), all.end(), [](const auto& one) { return is_live(one->state); });
  return any ? ExitCode::rolled_back : ExitCode::nothing_activated;
}

}  // namespace porter::engine
