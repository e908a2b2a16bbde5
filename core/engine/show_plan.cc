#include "core/engine/show_plan.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "core/engine/composition.h"
#include "core/engine/config_diff.h"
#include "core/engine/live_module.h"
#include "core/engine/plan_file.h"
#include "core/sync/plan.h"

namespace porter::engine {
namespace {

using base::ExitCode;

bool is_new(const sync::FileStep& step) {
  return step.why == sync::Why::absent || step.why == sync::Why::moved;
}

// Deletions first, then changed files, then new ones.
struct Paths {
  std::vector<std::string> deleted;
  std::vector<std::string> changed;
  std::vector<std::string> fresh;
};

Paths paths_of(const sync::SyncPlan& plan, const sync::Tree& wanted) {
  Paths paths;
  for (const sync::Removal& removal : plan.removals)
    paths.deleted.push_back(removal.path);
  for (const sync::FileStep& step : plan.files) {
    if (step.action != sync::Action::same)
      (is_new(step) ? paths.fresh : paths.changed).push_back(wanted.path_of(step.wanted));
  }
  for (const sync::EntryRef& link : plan.make_links)
    paths.fresh.push_back(wanted.path_of(link));
  return paths;
}

// What the two sides agree on by their manifests, and somebody changed since: it will be as it is wanted
// again.
void add_drift(const Deployment& one, Paths& paths, std::uint64_t& bytes) {
  protocol::DifferenceQuery query;
  query.site = one.site();
  query.layout = site_query(one).layout;
  query.generated = site_query(one).generated;
  std::set<std::string> listed(paths.changed.begin(), paths.changed.end());
  listed.insert(paths.fresh.begin(), paths.fresh.end());
  for (const protocol::Difference& drift : one.host->endpoint->differences(query)) {
    const sync::Entry* entry = one.composed->tree.find(drift.path);
    if (entry == nullptr || !listed.insert(drift.path).second) continue;
    const bool missing = drift.kind == protocol::DifferenceKind::missing;
    (missing ? paths.fresh : paths.changed).push_back(drift.path);
    bytes += entry->size;
  }
}

void list_paths(const Paths& paths, event::Planned& out) {
  for (const std::string& path : paths.deleted)
    out.paths.push_back("- " + path);
  for (const std::string& path : paths.changed)
    out.paths.push_back("~ " + path);
  for (const std::string& path : paths.fresh)
    out.paths.push_back("+ " + path);
  out.files_deleted = paths.deleted.size();
  out.files_changed = paths.changed.size();
  out.files_new = paths.fresh.size();
}

// In firing order. In place the tree is complete only behind the switch.
std::vector<Signal> signals_of(const Deployment& one) {
  if (is_inplace(one))
    return {SIG_DEPLOY_START,     SIG_SOURCE_PRE_SEND, SIG_SOURCE_SEND,  SIG_PRE_ACTIVATE, SIG_ACTIVATE,
            SIG_SOURCE_POST_SEND, SIG_POST_ACTIVATE,   SIG_HEALTH_CHECK, SIG_DEPLOY_FINISH};
  return {SIG_DEPLOY_START, SIG_SOURCE_PRE_SEND, SIG_SOURCE_SEND,  SIG_SOURCE_POST_SEND, SIG_PRE_ACTIVATE,
          SIG_ACTIVATE,     SIG_POST_ACTIVATE,   SIG_HEALTH_CHECK, SIG_DEPLOY_FINISH};
}

void list_handlers(const Deployment& one, event::Planned& out) {
  for (const Signal& signal : signals_of(one)) {
    for (const bus::Owner& owner : one.live->foreign_handlers(signal))
      out.handlers.push_back(std::string(signal.name()) + ": " + owner.describe());
  }
}

event::Planned plan_of(const Deployment& one) {
  event::Planned out = plan_files(one);
  if (out.unchanged) return out;
  out.config_changes = config_changes(one, out.paths);
  // A module that owns its procedure leaves the barrier between staging and activation.
  out.own_procedure = one.module->scope->has_foreign_handlers(SIG_DEPLOY);
  list_handlers(one, out);
  return out;
}

}  // namespace

event::Planned plan_files(const Deployment& one) {
  event::Planned out;
  out.module = one.module_name();
  out.host = one.host_name();
  out.version = one.version;
  out.live = one.before.current;
  out.unchanged = !one.to_do();
  if (out.unchanged) return out;
  const sync::SyncPlan plan = one.host->endpoint->compare(site_query(one), *one.composed);
  out.bytes_to_send = plan.totals.bytes_whole + plan.totals.bytes_delta;
  Paths paths = paths_of(plan, one.composed->tree);
  if (one.before.drifted()) add_drift(one, paths, out.bytes_to_send);
  list_paths(paths, out);
  return out;
}

ExitCode show_plan(Walk& walk) {
  std::mutex mutex;
  std::map<const Deployment*, event::Planned> plans;
  walk.each_module_on_host([&](HostRun&, Deployment& one) {
    event::Planned plan = plan_of(one);
    const std::lock_guard lock(mutex);
    plans.emplace(&one, std::move(plan));
  });
  walk.throw_failures();
  // In the order of modules and hosts, whatever order they answered in.
  for (const auto& one : walk.fleet.deployments) {
    if (const auto plan = plans.find(one.get()); plan != plans.end())
      walk.run.around.sink.handle(plan->second);
  }
  const Request& request = walk.run.request;
  if (!request.plan_out.empty()) write_plan(walk, request.plan_out);
  const bool changes = std::any_of(walk.fleet.modules.begin(), walk.fleet.modules.end(),
                                   [](const auto& module) { return to_do(*module); });
  return changes && request.detailed_exit_code ? ExitCode::plan_has_changes : ExitCode::ok;
}

}  // namespace porter::engine
