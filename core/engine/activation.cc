#include "core/engine/activation.h"

#include "core/engine/composition.h"
#include "core/engine/live_module.h"

namespace porter::engine {
namespace {

Payload context_of(const Deployment& one, Phase phase) {
  return to_payload({phase, "", one.before.current, one.release_id});
}

void activate_one(Walk& walk, Deployment& one, Phase phase) {
  walk.record(one, Step::activating);
  one.state = State::activating;
  one.was_live = true;
  const Payload context = context_of(one, phase);
  one.live->signal(SIG_PRE_ACTIVATE, context);
  if (one.installs || phase == Phase::rollback) one.host->endpoint->place_files(one.site(), one.release_id);
  one.live->signal(SIG_ACTIVATE, context);
  one.state = State::active;
  if (is_inplace(one) && phase == Phase::activate) {
    // Only now is the tree complete under the path that handlers know.
    one.live->signal(SIG_SOURCE_POST_SEND, {});
    one.host->endpoint->reseal(one.site(), one.release_id);
  }
  one.live->signal(SIG_POST_ACTIVATE, context);
  one.live->signal(SIG_HEALTH_CHECK, context);
}

void commit_one(Walk& walk, Deployment& one, protocol::CommitNote note, const Signal& finish) {
  note.link = link_of(*one.settings);
  const auto keep = static_cast<std::uint32_t>(one.settings->keep_releases());
  const protocol::CommitReport report = one.host->endpoint->commit(one.site(), one.release_id, keep, note);
  one.state = State::committed;
  walk.record(one, Step::done);
  for (const std::string& warning : report.warnings)
    walk.warn(one, warning);
  one.live->signal(finish, context_of(one, note.action == "rollback" ? Phase::rollback : Phase::activate));
}

}  // namespace

void activate(Walk& walk, ModuleRun& module, Phase phase) {
  walk.each_target(module, State::sealed, [&](Deployment& one) { activate_one(walk, one, phase); });
}

void decide(Walk& walk, ModuleRun& module) {
  walk.each_target(module, State::active, [&](Deployment& one) { walk.record(one, Step::committing); });
}

void commit(Walk& walk, ModuleRun& module, const protocol::CommitNote& note, const Signal& finish) {
  walk.each_target(module, State::active, [&](Deployment& one) { commit_one(walk, one, note, finish); });
}

}  // namespace porter::engine
