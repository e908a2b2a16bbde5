#include "core/engine/show_plan.h"

#include <algorithm>

#include "core/engine/composition.h"
#include "core/engine/config_diff.h"
#include "core/engine/live_module.h"
#include "core/engine/plan_file.h"
#include "core/sync/plan.h"

namespace porter::engine {
namespace {

using base::ExitCode;

std::string path_of(const sync::Tree& tree, const sync::EntryRef& ref) {
  const sync::Folder& folder = tree.folders.at(ref.folder);
  const std::string& name = folder.entries.at(ref.entry).name;
  return folder.path.empty() ? name : folder.path + "/" + name;
}

bool is_new(const sync::FileStep& step) {
  return step.why == sync::Why::absent || step.why == sync::Why::moved;
}

// Deletions first, then changed files, then new ones.
void list_paths(const sync::SyncPlan& plan, const sync::Tree& wanted, event::Planned& out) {
  for (const sync::Removal& removal : plan.removals)
    out.paths.push_back("- " + removal.path);
  out.files_deleted = plan.removals.size();
  for (const sync::FileStep& step : plan.files) {
    if (step.action == sync::Action::same || is_new(step)) continue;
    out.paths.push_back("~ " + path_of(wanted, step.wanted));
    ++out.files_changed;
  }
  for (const sync::FileStep& step : plan.files) {
    if (!is_new(step)) continue;
    out.paths.push_back("+ " + path_of(wanted, step.wanted));
    ++out.files_new;
  }
  for (const sync::EntryRef& link : plan.make_links) {
    out.paths.push_back("+ " + path_of(wanted, link));
    ++out.files_new;
  }
  out.bytes_to_send = plan.totals.bytes_whole + plan.totals.bytes_delta;
}

// In firing order.
constexpr std::array kSignals = {SIG_DEPLOY_START,     SIG_SOURCE_PRE_SEND, SIG_SOURCE_SEND,
                                 SIG_SOURCE_POST_SEND, SIG_PRE_ACTIVATE,    SIG_ACTIVATE,
                                 SIG_POST_ACTIVATE,    SIG_HEALTH_CHECK,    SIG_DEPLOY_FINISH};

void list_handlers(const LiveModule& module, event::Planned& out) {
  for (const Signal& signal : kSignals) {
    for (const bus::Owner& owner : module.foreign_handlers(signal))
      out.handlers.push_back(std::string(signal.name()) + ": " + owner.describe());
  }
}

event::Planned plan_of(const Walk& walk, const Deployment& one) {
  event::Planned out = plan_files(one);
  if (out.unchanged) return out;
  out.config_changes = config_changes(walk, one, out.paths);
  // A module that owns its procedure leaves the barrier between staging and activation.
  out.own_procedure = one.module->scope->has_foreign_handlers(SIG_DEPLOY);
  list_handlers(*one.live, out);
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
  list_paths(plan, one.composed->tree, out);
  return out;
}

ExitCode show_plan(Walk& walk) {
  walk.each_module_on_host(
      [&](HostRun&, Deployment& one) { walk.run.around.sink.handle(plan_of(walk, one)); });
  walk.throw_failures();
  const Request& request = walk.run.request;
  if (!request.plan_out.empty()) write_plan(walk, request.plan_out);
  const bool changes = std::any_of(walk.fleet.modules.begin(), walk.fleet.modules.end(),
                                   [](const auto& module) { return to_do(*module); });
  return changes && request.detailed_exit_code ? ExitCode::plan_has_changes : ExitCode::ok;
}

}  // namespace porter::engine
