#include "core/engine/rollback.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.h"
#include "core/engine/activation.h"
#include "core/engine/approach.h"
#include "core/engine/composition.h"
#include "core/engine/keep.h"
#include "core/engine/live_module.h"
#include "core/engine/outcome.h"
#include "core/engine/way_back.h"

namespace porter::engine {
namespace {

using base::Code;
using base::Error;
using base::ExitCode;
using protocol::SealHeader;

const protocol::BadRelease* find_bad(const protocol::SiteState& site, const std::string& id) {
  const auto found = std::find_if(site.bad.begin(), site.bad.end(),
                                  [&](const protocol::BadRelease& bad) { return bad.release_id == id; });
  return found == site.bad.end() ? nullptr : &*found;
}

std::string place(const Deployment& one) {
  return fmt::format("{} on {}", one.module_name(), one.host_name());
}

bool is_good(const protocol::SiteState& site, const SealHeader& release) {
  return find_bad(site, release.release_id) == nullptr;
}

// The newest good release that is older than the live one.
const SealHeader* previous(const protocol::SiteState& site) {
  const SealHeader* found = nullptr;
  for (const SealHeader& release : site.releases) {  // oldest first
    const bool newer = !site.seal_damaged && release.made_at_ns > site.seal.made_at_ns;
    if (release.release_id != site.current && !newer && is_good(site, release)) found = &release;
  }
  return found;
}

// A run that is gone back to, and when the first of its releases was made.
struct Goal {
  std::string run_id;
  std::int64_t began_ns = 0;
};

const SealHeader* find_release(const Walk& walk, const std::string& release_or_run) {
  const SealHeader* first = nullptr;
  for (const auto& one : walk.fleet.deployments) {
    for (const SealHeader& release : one->before.releases) {
      const bool is_it = release.release_id == release_or_run || release.run_id == release_or_run;
      if (is_it && (first == nullptr || release.made_at_ns < first->made_at_ns)) first = &release;
    }
  }
  return first;
}

// `to` is a release of any site here, or a run.
Goal find_goal(const Walk& walk, const std::string& to) {
  const SealHeader* named = find_release(walk, to);
  if (named == nullptr)
    throw Error(Code::missing, fmt::format("there is no release {}", base::printable(to)))
        .hint("porter-admin releases lists them");
  return {named->run_id, find_release(walk, named->run_id)->made_at_ns};
}

// What a site ran after that run: the run's own release, or the newest good one before.
const SealHeader* as_of(const Deployment& one, const Goal& goal) {
  const SealHeader* found = nullptr;
  for (const SealHeader& release : one.before.releases) {  // oldest first
    if (release.run_id == goal.run_id) {
      const protocol::BadRelease* bad = find_bad(one.before, release.release_id);
      if (bad == nullptr) return &release;
      throw Error(Code::refused,
                  fmt::format("{}: release {} is bad: {}", place(one), release.release_id, bad->reason))
          .hint(fmt::format("porter-admin releases --good {} takes the mark away", release.release_id));
    }
    if (release.made_at_ns < goal.began_ns && is_good(one.before, release)) found = &release;
  }
  return found;
}

// The last run that is live on any of the sites: what a rollback without a goal takes back.
std::string last_run(const Walk& walk) {
  const SealHeader* last = nullptr;
  for (const auto& one : walk.fleet.deployments) {
    const SealHeader& seal = one->before.seal;
    if (last == nullptr || seal.made_at_ns > last->made_at_ns) last = &seal;
  }
  return last == nullptr ? "" : last->run_id;
}

void choose(Deployment& one, const SealHeader* found) {
  if (found == nullptr)
    throw Error(Code::missing, place(one) + ": there is no older release to go back to")
        .hint("porter-admin releases lists what there is");
  if (is_inplace(one) && found != previous(one.before) && found->release_id != one.before.current)
    throw Error(Code::refused, place(one) + ": a site with layout inplace goes back one deploy only");
  one.release_id = found->release_id;
  one.version = found->version_label;
  one.commit = found->commit;
  one.has_tree = true;
  one.state = one.release_id == one.before.current ? State::unchanged : State::planned;
}

bool is_empty(const std::unique_ptr<Deployment>& one) {
  return one->before.current.empty();
}

std::string not_as_sealed(const std::string& release, const std::vector<protocol::Difference>& found) {
  const std::string& path = found.front().path;
  if (path.empty()) return fmt::format("the seal of release {} cannot be read", release);
  return fmt::format("release {} is not what was sealed: {} ({} more)", release, base::printable(path),
                     found.size() - 1);
}

class Rollback {
 public:
  explicit Rollback(Run& run) : run_(run), walk_(run) {}

  ExitCode go() {
    walk_.fleet = open_deploy(run_);
    confirm(walk_, "roll back");
    reach_all(walk_);
    judge_all(walk_);
    choose_all();
    const std::vector<std::string> chosen = choices();
    lock_all(walk_);
    choose_all();
    if (choices() != chosen)
      throw Error(Code::stale_plan, "somebody else changed what is live since this rollback began")
          .hint("look again: porter-admin status");
    walk_.each_module_on_host([&](HostRun&, Deployment& one) { verify(one); });
    walk_.throw_failures();
    for (const auto& module : walk_.fleet.modules) {
      if (to_do(*module)) open_scope(run_, *module);
    }
    return switch_all();
  }

 private:
  // Which release every site goes back to; it may be live already. Where nothing is live nothing is done.
  void choose_all() {
    const auto& all = walk_.fleet.deployments;
    if (std::all_of(all.begin(), all.end(), is_empty))
      throw Error(Code::missing, place(*all.front()) + ": nothing is live there").hint("porter-admin deploy");
    const std::string& to = run_.request.to_release;
    const std::optional<Goal> goal = to.empty() ? std::nullopt : std::optional(find_goal(walk_, to));
    const std::string last = last_run(walk_);
    for (const auto& one : all) {
      const protocol::SiteState& site = one->before;
      if (is_empty(one)) one->state = State::unchanged;
      if (is_empty(one)) continue;
      const bool stays = !site.seal_damaged && site.seal.run_id != last;
      attempt(*one, [&] { choose(*one, goal ? as_of(*one, *goal) : stays ? &site.seal : previous(site)); });
    }
    walk_.throw_failures();
  }

  std::vector<std::string> choices() const {
    std::vector<std::string> releases;
    for (const auto& one : walk_.fleet.deployments)
      releases.push_back(one->release_id);
    return releases;
  }

  // Every byte, before anything is switched. In place the older files are kept in pieces, which the agent
  // puts together.
  void verify(Deployment& one) {
    if (one.to_do() && !is_inplace(one)) {
      protocol::DifferenceQuery query;
      query.site = one.site();
      query.release_id = one.release_id;
      query.generated = site_query(one).generated;
      query.every_byte = true;
      const std::vector<protocol::Difference> found = one.host->endpoint->differences(query);
      if (!found.empty())
        throw Error(Code::drifted, fmt::format("{}: {}", place(one), not_as_sealed(one.release_id, found)))
            .hint("take another one (porter-admin releases), or deploy anew");
    }
    if (one.to_do()) one.state = State::sealed;
  }

  ExitCode switch_all() {
    keep_places(walk_);
    run_.shield.raise();
    for (const auto& module : walk_.fleet.modules) {
      activate(walk_, *module, Phase::rollback);
      if (!walk_.any_failed() && !walk_.interrupted()) continue;
      const ExitCode code = give_up(walk_, ExitCode::rolled_back);
      let_go();
      return code;
    }
    for (const auto& module : walk_.fleet.modules)
      decide(walk_, *module);
    for (const auto& module : walk_.fleet.modules)
      commit(walk_, *module, {"rollback", run_.request.config, run_.request.message}, SIG_ROLLBACK);
    const ExitCode code = end();
    let_go();
    return code;
  }

  // There is no resume of a rollback: its folder is for a settler alone.
  void let_go() {
    if (open_steps(walk_.folder->journal().entries()).empty()) walk_.folder->remove();
  }

  ExitCode end() {
    walk_.each_module_on_host([&](HostRun&, Deployment& one) { mark_left(one); });
    for (const auto& one : walk_.fleet.deployments)
      tell_end(run_, *one);
    return walk_.any_failed() ? ExitCode::some_hosts_failed : ExitCode::ok;
  }

  // What somebody went back from is not offered again by itself.
  void mark_left(Deployment& one) {
    if (one.state != State::committed) return;
    std::string why = "rolled back by " + Run::user();
    if (!run_.request.message.empty()) why += ": " + run_.request.message;
    one.host->endpoint->mark(one.site(), one.before.current, protocol::Mark::bad, why);
  }

  Run& run_;
  Walk walk_;
};

}  // namespace

base::ExitCode rollback(Run& run) {
  load_project(run);
  return Rollback(run).go();
}

}  // namespace porter::engine
