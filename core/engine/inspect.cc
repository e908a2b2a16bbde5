#include "core/engine/inspect.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.h"
#include "core/engine/approach.h"
#include "core/engine/composition.h"
#include "core/engine/connect.h"
#include "core/engine/outcome.h"

namespace porter::engine {
namespace {

using base::Code;
using base::Error;
using base::ExitCode;
using protocol::SealHeader;

std::string note_of(const SealHeader& seal, std::string_view name) {
  for (const auto& [key, value] : seal.notes) {
    if (key == name) return value;
  }
  return "";
}

std::string made_of(const SealHeader& seal) {
  return base::format_iso(base::WallTime(
      std::chrono::duration_cast<base::WallTime::duration>(std::chrono::nanoseconds(seal.made_at_ns))));
}

std::vector<std::string> notes_of(const protocol::SiteState& site) {
  std::vector<std::string> notes;
  if (site.standing == protocol::Standing::foreign) notes.push_back("not ours: " + site.reason);
  if (site.standing == protocol::Standing::newer) notes.push_back(site.reason);
  if (site.seal_damaged) notes.push_back("the seal of the live release is damaged");
  if (!site.pending.empty()) notes.push_back("live and never committed: run " + site.pending_run);
  if (site.locked)
    notes.push_back(fmt::format("locked by {}@{} since {}: {} (run {})", site.holder.who, site.holder.host,
                                site.holder.since, site.holder.message, site.holder.run_id));
  for (const protocol::Freeze& freeze : site.frozen)
    notes.push_back(fmt::format("config {} is frozen since {} by {}: {}", freeze.config, freeze.since,
                                freeze.who, freeze.reason));
  if (site.leftovers > 0 && !site.locked)  // else they are the work of whoever holds the lock
    notes.push_back(fmt::format("{} leftovers of ended runs; the next deploy removes them", site.leftovers));
  return notes;
}

event::SiteStatus status_of(const Deployment& one) {
  const protocol::SiteState& site = one.before;
  event::SiteStatus out;
  out.module = one.module_name();
  out.host = one.host_name();
  out.path = one.site();
  out.release_id = site.current;
  out.notes = notes_of(site);
  if (site.current.empty() || site.seal_damaged) return out;
  out.version = site.seal.version_label;
  out.commit = site.seal.commit;
  out.config = note_of(site.seal, "config");
  out.made = made_of(site.seal);
  out.user = note_of(site.seal, "by");
  out.message = note_of(site.seal, "message");
  out.drift_changed = site.drift_changed;
  out.drift_missing = site.drift_missing;
  return out;
}

event::ReleaseFound release_of(const Deployment& one, const SealHeader& seal) {
  const protocol::SiteState& site = one.before;
  event::ReleaseFound out;
  out.module = one.module_name();
  out.host = one.host_name();
  out.release_id = seal.release_id;
  out.version = seal.version_label;
  out.commit = seal.commit;
  out.made = made_of(seal);
  out.user = note_of(seal, "by");
  out.message = note_of(seal, "message");
  out.current = seal.release_id == site.current;
  out.pinned = std::find(site.pinned.begin(), site.pinned.end(), seal.release_id) != site.pinned.end();
  for (const protocol::BadRelease& bad : site.bad) {
    if (bad.release_id == seal.release_id) out.bad = bad.reason;
  }
  return out;
}

event::DriftFound drift_of(const Deployment& one, const protocol::Difference& difference) {
  constexpr const char* kKinds[] = {"", "changed", "missing", "added"};
  return {one.module_name(), one.host_name(), kKinds[static_cast<int>(difference.kind)], difference.path,
          difference.what};
}

class Inspection {
 public:
  explicit Inspection(Run& run) : run_(run), walk_(run) {}

  ExitCode go() {
    walk_.fleet = open_fleet(run_);
    walk_.each_host([&](HostRun& host) { call(walk_, host); });
    run_.shield.user().check();
    walk_.each_host([&](HostRun& host) {
      if (!host.failure) look_at_host(host);
    });
    if (changes_sites()) {
      refuse_unseen();
      if (!run_.request.mark.empty()) choose_marked();
      lock_all(walk_);
    }
    // In the order of modules and hosts, whatever order they answered in.
    for (const auto& one : walk_.fleet.deployments) {
      if (!one->host->failure && !one->failure) attempt(*one, [&] { tell(*one); });
    }
    run_.shield.user().check();
    return end();
  }

 private:
  Action action() const { return run_.request.action; }

  bool changes_sites() const {
    return action() == Action::freeze || action() == Action::unfreeze || !run_.request.mark.empty();
  }

  // A site that cannot be read keeps no other one back.
  void look_at_host(HostRun& host) {
    const std::vector<Deployment*> here = walk_.fleet.on(host);
    try {
      read_states(host, here);
    } catch (const Error&) {
      for (Deployment* one : here)
        attempt(*one, [&] { read_states(host, {one}); });
    }
  }

  // Sites that have the release, or one of the run, that is to be marked; the others are left alone.
  void choose_marked() {
    const std::string& wanted = run_.request.mark_release;
    bool found = false;
    for (const auto& one : walk_.fleet.deployments) {
      one->state = State::unchanged;
      for (const SealHeader& release : one->before.releases) {
        if (release.release_id != wanted && release.run_id != wanted) continue;
        one->release_id = release.release_id;
        one->state = State::planned;
        found = true;
      }
    }
    if (!found)
      throw Error(Code::missing, fmt::format("there is no release {}", base::printable(wanted)))
          .hint("porter-admin releases lists them");
  }

  // All sites or none: a config that is frozen in half is worse than one that is not.
  void refuse_unseen() {
    for (const auto& host : walk_.fleet.hosts) {
      if (host->failure) throw Error(*host->failure);
    }
    walk_.throw_failures();
  }

  void tell(Deployment& one) {
    switch (action()) {
      case Action::status:
        return run_.around.sink.handle(status_of(one));
      case Action::releases:
        return run_.request.mark.empty() ? list_releases(one) : mark(one);
      case Action::history:
        return list_history(one);
      case Action::diff:
        return list_drift(one);
      case Action::freeze:
        return freeze(one);
      default:
        return unfreeze(one);
    }
  }

  void list_releases(const Deployment& one) {
    for (const SealHeader& seal : one.before.releases)
      run_.around.sink.handle(release_of(one, seal));
  }

  void mark(const Deployment& one) {
    const std::string& word = run_.request.mark;
    const protocol::Mark mark = word == "pin"     ? protocol::Mark::pinned
                                : word == "unpin" ? protocol::Mark::unpinned
                                                  : protocol::Mark::good;
    if (!one.to_do()) return;
    one.host->endpoint->mark(one.site(), one.release_id, mark, "");
    say(one, fmt::format("{} is {}", one.release_id,
                         word == "pin"     ? "pinned: it is never removed by itself"
                         : word == "unpin" ? "not pinned any more"
                                           : "good again"));
  }

  void list_history(const Deployment& one) {
    const protocol::Layout layout = site_query(one).layout;
    for (const protocol::HistoryRecord& line :
         one.host->endpoint->history(one.site(), layout, run_.request.limit))
      run_.around.sink.handle(event::HistoryFound{one.module_name(), one.host_name(), line.time, line.action,
                                                  line.release, line.previous, line.run_id, line.who,
                                                  line.version, line.config, line.message});
  }

  void list_drift(const Deployment& one) {
    if (one.before.current.empty()) return;
    protocol::DifferenceQuery query;
    query.site = one.site();
    query.layout = site_query(one).layout;
    query.generated = site_query(one).generated;
    query.added = true;
    for (const protocol::Difference& difference : one.host->endpoint->differences(query)) {
      if (difference.path.empty())
        throw Error(Code::refused, "the seal of the live release cannot be read: nothing to compare it with")
            .at(one.site())
            .hint("deploy --force makes a new release");
      run_.around.sink.handle(drift_of(one, difference));
      found_ = true;
    }
  }

  void freeze(const Deployment& one) {
    one.host->endpoint->freeze(
        one.site(), {run_.request.config, run_.request.message, Run::user(), base::format_iso(run_.started)});
    say(one, fmt::format("config {} is frozen: {}", run_.request.config, run_.request.message));
  }

  void unfreeze(const Deployment& one) {
    one.host->endpoint->unfreeze(one.site(), run_.request.config);
    say(one, fmt::format("config {} can be deployed again", run_.request.config));
  }

  void say(const Deployment& one, const std::string& text) {
    run_.around.sink.handle(
        event::Output{fmt::format("{} on {}: {}", one.module_name(), one.host_name(), text)});
  }

  ExitCode end() {
    bool failed = false;
    bool reached = false;
    for (const auto& host : walk_.fleet.hosts) {
      reached = reached || !host->failure;
      failed = failed || host->failure.has_value();
      if (host->failure)
        run_.around.sink.handle(event::Failure{host->host.name, "", static_cast<int>(host->failure->code()),
                                               base::format_error(*host->failure)});
    }
    for (const auto& one : walk_.fleet.deployments) {
      failed = failed || one->failure.has_value();
      if (one->failure) tell_failure(run_, *one, *one->failure);
    }
    if (!reached) return ExitCode::unreachable;
    if (failed) return ExitCode::some_hosts_failed;
    return found_ && run_.request.detailed_exit_code ? ExitCode::plan_has_changes : ExitCode::ok;
  }

  Run& run_;
  Walk walk_;
  bool found_ = false;
};

}  // namespace

ExitCode inspect(Run& run) {
  load_project(run);
  if (run.request.action == Action::freeze && run.request.message.empty())
    throw Error(Code::usage, "freeze: say why").hint("porter-admin freeze --config NAME -m REASON");
  const bool freezes = run.request.action == Action::freeze || run.request.action == Action::unfreeze;
  if (freezes && run.request.config.empty()) throw Error(Code::usage, "which config?").hint("--config NAME");
  return Inspection(run).go();
}

}  // namespace porter::engine
