#include "core/engine/keep.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "core/engine/composition.h"
#include "core/engine/kept_source.h"
#include "core/engine/resume.h"
#include "core/engine/unfinished_runs.h"
#include "core/sync/plan.h"

namespace porter::engine {
namespace {

bool is_to_send(const Deployment& deployment) {
  return deployment.state == State::planned;
}

bool has_sound_base(const protocol::SiteState& site) {
  return !site.current.empty() && !site.seal_damaged && !site.drifted();
}

// What has to be sent, as far as it can be told before.
std::vector<sync::EntryRef> lacking(const Deployment& deployment) {
  const sync::Composed& composed = *deployment.composed;
  if (!has_sound_base(deployment.before)) return composed.tree.files();
  const sync::SyncPlan plan = deployment.host->endpoint->compare(site_query(deployment), composed);
  std::vector<sync::EntryRef> files;
  for (const sync::FileStep& step : plan.files) {
    if (step.action == sync::Action::whole || step.action == sync::Action::delta)
      files.push_back(step.wanted);
  }
  return files;
}

// A single module is read while it is sent. With several, the last is sent long after the first one, and
// what it was then is read now.
void keep_contents(Walk& walk) {
  walk.keep_contents();
  const auto& modules = walk.fleet.modules;
  if (std::count_if(modules.begin(), modules.end(), [](const auto& one) { return to_do(*one); }) < 2) return;
  walk.each_module_on_host([&](HostRun&, Deployment& one) {
    if (is_to_send(one)) walk.contents->expect(*one.composed, lacking(one));
  });
  walk.throw_failures();
  walk.contents->read_all();
}

// The fresh shared paths of a module on this host that the source has something for.
std::vector<std::string> missing_seeds(const Deployment& deployment) {
  std::vector<std::string> missing;
  for (const std::string& seed : deployment.seeds) {
    if (!deployment.host->endpoint->exists(deployment.site() + "/shared/" + seed)) missing.push_back(seed);
  }
  return missing;
}

// What has to come from the source before any target changes, found by all hosts at once.
struct Findings {
  std::mutex mutex;
  std::map<const ModuleRun*, std::set<std::string>> seeds;
};

void look_at(const Deployment& deployment, Findings& findings) {
  for (const std::string& seed : missing_seeds(deployment)) {
    const std::lock_guard lock(findings.mutex);
    findings.seeds[deployment.module].insert(seed);
  }
}

void look_everywhere(Walk& walk, Findings& findings) {
  walk.each_module_on_host([&](HostRun&, Deployment& one) {
    if (is_to_send(one)) look_at(one, findings);
  });
  walk.throw_failures();
}

// "seeds/N" for the N-th module.
std::string seeds_folder(const Fleet& fleet, const ModuleRun& module) {
  const auto at = std::find_if(fleet.modules.begin(), fleet.modules.end(),
                               [&](const auto& one) { return one.get() == &module; });
  return fmt::format("seeds/{}", at - fleet.modules.begin());
}

void keep_seeds(const Fleet& fleet, const Findings& findings, const std::filesystem::path& run_folder,
                const base::CancelToken& cancel) {
  for (const auto& [module, seeds] : findings.seeds) {
    for (const std::string& seed : seeds) {
      source::Checkout part = module->checkout;
      part.tree /= seed;
      source::make_private(part, run_folder / seeds_folder(fleet, *module) / seed, cancel);
    }
  }
}

// Numbers the deployments that something is to be done for.
std::vector<Place> places_of(const Walk& walk) {
  std::vector<Place> places;
  for (const auto& deployment : walk.fleet.deployments) {
    if (!deployment->to_do()) continue;
    deployment->place = places.size();
    places.push_back(place_of(*deployment, walk.run));
  }
  return places;
}

void keep_trees(const Fleet& fleet, const KeptSource& kept, std::vector<Place>& places) {
  for (const auto& deployment : fleet.deployments) {
    if (!deployment->to_do()) continue;
    Place& place = places[deployment->place];
    place.tree = kept.keep_tree(deployment->composed->tree);
    place.seeds = seeds_folder(fleet, *deployment->module);
  }
}

void open_folder(Walk& walk) {
  const std::filesystem::path state = walk.run.around.world.state_folder();
  forget_oldest_runs(state, kMostUnfinishedRuns - 1);
  walk.folder.emplace(RunFolder::create(state, walk.run.request.run_id));
}

void write(Walk& walk, std::vector<Place> places) {
  const Run& run = walk.run;
  walk.folder->write({Run::user(), base::format_iso(run.started), run.request, std::move(places)});
}

}  // namespace

void keep_run(Walk& walk) {
  open_folder(walk);
  const std::filesystem::path& folder = walk.folder->path();
  const base::CancelToken& cancel = walk.run.shield.waits();
  Findings findings;
  look_everywhere(walk, findings);
  keep_contents(walk);
  keep_seeds(walk.fleet, findings, folder, cancel);
  std::vector<Place> places = places_of(walk);
  keep_trees(walk.fleet, *walk.kept, places);
  write(walk, std::move(places));
}

void keep_more(Walk& walk) {
  take_over_sealed(walk);
  keep_contents(walk);
  RunFacts facts = walk.folder->facts();
  for (const auto& deployment : walk.fleet.deployments)
    facts.places[deployment->place].release_id = deployment->release_id;
  walk.folder->write(std::move(facts));
}

void keep_places(Walk& walk) {
  open_folder(walk);
  write(walk, places_of(walk));
}

}  // namespace porter::engine
