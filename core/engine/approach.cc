#include "core/engine/approach.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/base/fd.h"
#include "core/base/text.h"
#include "core/engine/composition.h"
#include "core/engine/connect.h"
#include "core/engine/resume.h"

namespace porter::engine {
namespace {

using base::Code;
using base::Error;
using std::chrono::milliseconds;

// What this very run brought there before it was interrupted is not brought again, even if it is forced.
bool is_unchanged(const Deployment& deployment, const std::string& run_id) {
  const protocol::SiteState& site = deployment.before;
  const bool forced = deployment.module->forced && site.seal.run_id != run_id;
  return !site.current.empty() && site.seal.skip_key == deployment.skip_key && !site.drifted() &&
         !site.seal_damaged && site.pending.empty() && !forced;
}

std::string place(const Deployment& deployment) {
  return fmt::format("{} on {}", deployment.site(), deployment.host_name());
}

void refuse_newer_and_foreign(const Walk& walk, const Deployment& deployment) {
  const protocol::SiteState& state = deployment.before;
  if (state.standing == protocol::Standing::newer) {
    throw Error(Code::refused, fmt::format("{}: {}", place(deployment), state.reason))
        .hint("use the newer porter-admin that made it");
  }
  if (state.standing == protocol::Standing::foreign && !walk.run.request.adopt) {
    throw Error(Code::refused, fmt::format("{}: {}", place(deployment), state.reason))
        .hint("porter-admin deploy --adopt takes the folder over and leaves what is in it alone");
  }
}

// The agent refuses, too, under the lock; this is so that nothing is built or asked for in vain. A plan is
// shown all the same: it changes nothing.
void judge_freeze(const Walk& walk, const Deployment& deployment) {
  for (const protocol::Freeze& freeze : deployment.before.frozen) {
    if (freeze.config != walk.run.request.config) continue;
    const std::string what = fmt::format("{}: config {} is frozen since {} by {}: {}", place(deployment),
                                         freeze.config, freeze.since, freeze.who, freeze.reason);
    const std::string thaw = "porter-admin unfreeze --config " + freeze.config;
    if (!walk.run.request.dry_run) throw Error(Code::frozen, what).hint(thaw);
    walk.warn(deployment, fmt::format("{}; a deploy would be refused before {}", what, thaw));
  }
}

// In place, what somebody edited by hand would be lost.
void judge_drift(const Walk& walk, Deployment& deployment) {
  const protocol::SiteState& state = deployment.before;
  if (!state.drifted()) return;
  const std::string what =
      fmt::format("{} changed and {} missing since the last deploy: {}", state.drift_changed,
                  state.drift_missing, base::join(state.drift, ", "));
  const bool lost = is_inplace(deployment) && state.drift_changed > 0;
  if (!lost || walk.run.request.overwrite_drift || walk.run.request.dry_run) {
    if (std::exchange(deployment.drift_told, what) != what) walk.warn(deployment, what);
    return;
  }
  throw Error(Code::drifted, fmt::format("{}: {}", place(deployment), what))
      .hint("porter-admin diff shows it; --overwrite-drift deploys over it");
}

void judge_deploy(const Walk& walk, Deployment& deployment) {
  refuse_newer_and_foreign(walk, deployment);
  if (walk.run.request.action == Action::rollback) return;
  judge_freeze(walk, deployment);
  judge_drift(walk, deployment);
  if (is_unchanged(deployment, walk.run.request.run_id))
    deployment.state = State::unchanged;
  else if (deployment.state == State::unchanged)  // at an earlier look
    deployment.state = State::planned;
  if (walk.run.resumes && deployment.to_do()) check_not_stale(walk, deployment);
}

// Actions that only look take what they find.
bool changes_something(Action action) {
  return action == Action::deploy || action == Action::rollback;
}

// What killed runs left: holding the lock for a moment puts it right. A half-switched tree is not taken for
// somebody's edits then, and a site where nothing is to be deployed is tidy, too. True when something was
// done.
bool tidy(const Walk& walk, HostRun& host, const Deployment& one) {
  if (one.locked || one.before.leftovers == 0 || one.before.locked) return false;
  try {
    host.endpoint->lock(lock_request(one, walk.run));
    host.endpoint->unlock(one.site());
  } catch (const Error& error) {
    if (error.code() != Code::locked) throw;  // whoever holds it has just done the same
  }
  return true;
}

void judge(Walk& walk, HostRun& host) {
  const std::vector<Deployment*> here = walk.fleet.on(host);
  attempt(*here.front(), [&] {
    if (!changes_something(walk.run.request.action)) return;
    const auto tidied = [&](const Deployment* one) { return tidy(walk, host, *one); };
    if (!walk.run.request.dry_run && std::count_if(here.begin(), here.end(), tidied) > 0)
      read_states(host, here);
    for (Deployment* one : here)
      judge_deploy(walk, *one);
  });
}

std::vector<protocol::SiteQuery> queries_of(const std::vector<Deployment*>& here,
                                            protocol::DriftCheck drift) {
  std::vector<protocol::SiteQuery> queries;
  for (const Deployment* deployment : here) {
    queries.push_back(site_query(*deployment));
    queries.back().drift = drift;
  }
  return queries;
}

// What was compared with its seal so short a while ago needs not be compared again: somebody else's deploy
// shows in the release's id, and what is edited by hand meanwhile shows at the next look.
constexpr auto kDriftHolds = std::chrono::seconds(5);

bool is_fresh(const Deployment& one) {
  return std::chrono::steady_clock::now() - one.compared < kDriftHolds;
}

// As read_states(), trusting a fresh comparison of the same release.
void read_again(HostRun& host, const std::vector<Deployment*>& here) {
  if (!std::all_of(here.begin(), here.end(), [](const Deployment* one) { return is_fresh(*one); }))
    return read_states(host, here);
  std::vector<protocol::SiteState> states = host.endpoint->look(queries_of(here, protocol::DriftCheck::skip));
  for (std::size_t i = 0; i < here.size(); ++i) {
    const protocol::SiteState& before = here[i]->before;
    if (before.current != states.at(i).current) return read_states(host, here);
    states[i].drift_changed = before.drift_changed;
    states[i].drift_missing = before.drift_missing;
    states[i].drift = before.drift;
  }
  for (std::size_t i = 0; i < here.size(); ++i)
    here[i]->before = std::move(states[i]);
}

// The waits between two tries: short at first, since most runs are, and never longer than a person notices.
class Backoff {
 public:
  milliseconds next() { return std::exchange(wait_, std::min(wait_ * 2, milliseconds(2000))); }

 private:
  milliseconds wait_{100};
};

// What a run finds as it wants it is held, too: at the end all sites are of this run, at the same time. Where
// nothing is live and nothing is to be done there is nothing to hold.
bool is_held(const Walk& walk, const Deployment& one) {
  return one.to_do() || (changes_something(walk.run.request.action) && !one.before.current.empty());
}

// One attempt at all locks. Busy ones are in the records when it returns false, and nothing is held.
bool try_lock_all(Walk& walk) {
  walk.each_host([&](HostRun& host) {
    for (Deployment* deployment : walk.fleet.on(host)) {
      if (!is_held(walk, *deployment)) continue;
      attempt(*deployment, [&] {
        host.endpoint->lock(lock_request(*deployment, walk.run));
        deployment->locked = true;
      });
    }
  });
  const auto busy = [](const auto& one) { return one->failure && one->failure->code() == Code::locked; };
  const auto other = [&](const auto& one) { return one->failure && !busy(one); };
  const auto& all = walk.fleet.deployments;
  if (std::none_of(all.begin(), all.end(), busy) || std::any_of(all.begin(), all.end(), other)) return true;
  walk.each_module_on_host([&](HostRun& host, Deployment& one) {
    if (std::exchange(one.locked, false)) host.endpoint->unlock(one.site());
  });
  return false;
}

// Says who holds what, once for each holder, and forgets the failures: they are tried again.
void show_holders(Walk& walk, std::map<const Deployment*, std::string>& shown) {
  for (const auto& one : walk.fleet.deployments) {
    if (!one->failure) continue;
    std::string& last = shown[one.get()];
    if (last != one->failure->message()) walk.warn(*one, "waiting: " + one->failure->message());
    last = one->failure->message();
    one->failure.reset();
  }
}

// As people count: who logs in as two users has two connections to one host.
std::size_t count_hosts(const Walk& walk) {
  std::set<std::string> names;
  for (const auto& host : walk.fleet.hosts)
    names.insert(host->host.name);
  return names.size();
}

}  // namespace

void call(Walk& walk, HostRun& host) {
  host.opening.look = queries_of(walk.fleet.on(host), protocol::DriftCheck::full);
  connect(walk.run, host);
}

void reach_all(Walk& walk) {
  walk.each_host([&](HostRun& host) {
    call(walk, host);
    if (host.failure) return;
    const std::vector<Deployment*> here = walk.fleet.on(host);
    attempt(*here.front(), [&] { read_states(host, here); });
  });
  walk.run.shield.user().check();
  std::vector<Error> problems;
  for (const auto& host : walk.fleet.hosts) {
    if (host->failure) problems.push_back(*host->failure);
  }
  if (!problems.empty()) throw base::Errors(std::move(problems));
  walk.throw_failures();
}

void read_states(HostRun& host, const std::vector<Deployment*>& here) {
  const std::vector<protocol::SiteState> states =
      host.endpoint->look(queries_of(here, protocol::DriftCheck::full));
  for (std::size_t i = 0; i < here.size(); ++i) {
    here[i]->before = states.at(i);
    here[i]->compared = std::chrono::steady_clock::now();
  }
}

void judge_all(Walk& walk) {
  walk.each_host([&](HostRun& host) { judge(walk, host); });
  walk.throw_failures();
}

void lock_all(Walk& walk) {
  const auto limit = base::Deadline::in(std::chrono::seconds(walk.run.request.lock_wait_seconds));
  std::map<const Deployment*, std::string> shown;
  Backoff backoff;
  while (!try_lock_all(walk)) {
    if (limit.passed()) break;
    show_holders(walk, shown);
    base::pause(base::Deadline::in(backoff.next()), walk.run.shield.waits());
  }
  // On a failure the connections end here, and the locks with them.
  walk.throw_failures();
  // A build can take minutes, and waiting can: others may have changed what is about to be decided by.
  walk.each_host([&](HostRun& host) {
    const std::vector<Deployment*> here = walk.fleet.on(host);
    attempt(*here.front(), [&] { read_again(host, here); });
  });
  walk.throw_failures();
  judge_all(walk);
}

bool asks_for_confirmation(const Walk& walk) {
  const Request& request = walk.run.request;
  const settings::Config* config = walk.run.project.find_config(request.config);
  return config != nullptr && config->confirm && !request.yes && !request.dry_run;
}

void confirm(Walk& walk, const std::string& what) {
  if (!asks_for_confirmation(walk)) return;
  const Request& request = walk.run.request;
  const settings::Config* config = walk.run.project.find_config(request.config);
  const std::string question =
      fmt::format("{} {} ({} hosts)? [y/N] ", what, request.config, count_hosts(walk));
  if (request.interactive && walk.run.around.asker.confirm(question)) return;
  throw Error(Code::usage,
              fmt::format("config {} asks for a confirmation, and nobody gave one", request.config))
      .at(config->where)
      .hint("--yes");
}

}  // namespace porter::engine
