#include "core/engine/show_plan.h"

#include "core/engine/composition.h"
#include "core/sync/plan.h"

namespace porter::engine {
namespace {

std::string path_of(const sync::Tree& tree, const sync::EntryRef& ref) {
  const sync::Folder& folder = tree.folders.at(ref.folder);
  const std::string& name = folder.entries.at(ref.entry).name;
  return folder.path.empty() ? name : folder.path + "/" + name;
}

bool is_new(const sync::FileStep& step) {
  return step.why == sync::Why::absent || step.why == sync::Why::moved;
}

}  // namespace

event::Planned plan_of(const Deployment& deployment) {
  event::Planned out;
  out.module = deployment.module_name();
  out.host = deployment.host_name();
  out.unchanged = !deployment.to_do();
  if (out.unchanged) return out;
  const sync::Tree& wanted = deployment.composed->tree;
  const sync::SyncPlan plan =
      deployment.host->endpoint->compare(site_query(deployment), *deployment.composed);
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
  return out;
}

}  // namespace porter::engine
