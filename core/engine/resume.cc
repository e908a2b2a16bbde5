#include "core/engine/resume.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.h"
#include "core/engine/composition.h"
#include "core/engine/conductor.h"
#include "core/engine/kept_source.h"
#include "core/engine/run.h"
#include "core/engine/settler.h"
#include "core/engine/unfinished_runs.h"
#include "core/settings/project_files.h"

namespace porter::engine {
namespace {

using base::Code;
using base::Error;
using base::ExitCode;

// What the run was asked, by whoever asks for it again.
Request asked_again(const Request& kept, const Request& now) {
  Request request = kept;
  request.plan_file.clear();  // it was held to when the run began
  request.interactive = now.interactive;
  request.yes = kept.yes || now.yes;
  return request;
}

std::optional<std::size_t> find_place(const std::vector<Place>& places, const std::string& module,
                                      const std::string& host) {
  const auto found = std::find_if(places.begin(), places.end(), [&](const Place& place) {
    return place.module == module && place.host.name == host;
  });
  if (found == places.end()) return std::nullopt;
  return static_cast<std::size_t>(found - places.begin());
}

Error gone(const char* what, const std::string& name) {
  return Error(Code::missing, fmt::format("the project has no {} {} any more", what, base::printable(name)))
      .hint("what was half done is settled; deploy again");
}

// The modules of the run, in the order of its places, which is that of their dependencies.
std::vector<std::unique_ptr<ModuleRun>> modules_of(const Run& run, const std::vector<Place>& places) {
  std::vector<std::unique_ptr<ModuleRun>> modules;
  for (const Place& place : places) {
    if (!modules.empty() && modules.back()->module->name == place.module) continue;
    auto made = std::make_unique<ModuleRun>();
    made->module = run.project.find_module(place.module);
    if (made->module == nullptr) throw gone("module", place.module);
    made->forced = is_forced(run.request, place.module);
    modules.push_back(std::move(made));
  }
  return modules;
}

std::vector<settings::Host> hosts_of(const Run& run, const std::vector<Place>& places) {
  std::vector<settings::Host> hosts;
  for (const Place& place : places) {
    const auto same = [&](const settings::Host& host) { return host.name == place.host.name; };
    if (std::any_of(hosts.begin(), hosts.end(), same)) continue;
    const settings::Host* host = run.project.find_host(place.host.name);
    if (host == nullptr) throw gone("host", place.host.name);
    hosts.push_back(*host);
  }
  return hosts;
}

void take_from(const Place& place, const std::filesystem::path& run_folder, ModuleRun& module) {
  module.checkout.tree = run_folder / place.seeds;  // all that is ever asked of it again
  module.checkout.version = place.version;
  module.checkout.commit = place.commit;
}

void take_from(const Place& place, const KeptSource& kept, Deployment& one) {
  one.composed = std::make_shared<const sync::Composed>(kept.load(place.tree, place.source));
  one.seeds = place.seed_paths;
  one.source_root = place.source_root;
  one.release_id = place.release_id;
  one.version = place.version;
  one.commit = place.commit;
}

// A release of that id is there, and is not the one that is to be activated.
bool is_taken(const Deployment& deployment) {
  const protocol::SiteState& site = deployment.before;
  const std::string& id = deployment.release_id;
  const auto is_it = [&](const auto& release) { return release.release_id == id; };
  if (site.current == id || std::any_of(site.bad.begin(), site.bad.end(), is_it)) return true;
  const bool there = std::any_of(site.releases.begin(), site.releases.end(), is_it);
  return there && !is_sealed_at(deployment, site);
}

// "<UTC>-<commit8>-<run4>" with another time.
std::string with_time(const std::string& release_id, base::WallTime time) {
  return base::format_compact(time) + release_id.substr(release_id.find('-'));
}

void require_project(const std::filesystem::path& directory) {
  if (settings::find_project_folder(directory)) return;
  throw Error(Code::missing,
              fmt::format("{}: the run began here, and there is no project.ini any more", directory.string()))
      .hint("move the project back there for as long as it takes, or deploy again from where it is now");
}

// A rollback sends nothing: it is whole or put back when it is settled.
ExitCode end_rollback(const Run& run, RunFolder& folder) {
  const bool whole = folder.is_committed();
  folder.remove();
  if (whole) return ExitCode::ok;
  run.say(event::Level::warning, "the rollback is put back; begin it anew");
  return ExitCode::rolled_back;
}

}  // namespace

ExitCode resume(const Request& request, const Surroundings& around) {
  const std::filesystem::path state = around.world.state_folder();
  std::optional<RunFolder> folder = RunFolder::open(state, request.run_id, Patience::yes);
  if (!folder) throw unknown_run(state, request.run_id);  // also one that had not come to its first step
  const Request again = asked_again(folder->facts().request, request);
  Surroundings there = around;
  there.world.directory = again.directory;  // what the request's relative paths count from
  Run run(again, there);
  run.resumes = true;
  if (!settle_to_resume(run, *folder)) return ExitCode::rollback_failed;
  if (again.action == Action::rollback) return end_rollback(run, *folder);
  require_project(again.directory);
  return deploy_again(run, std::move(*folder));
}

Fleet prepare_again(Run& run, const RunFolder& folder) {
  const std::vector<Place>& places = folder.facts().places;
  Fleet fleet = open_fleet(run, modules_of(run, places), hosts_of(run, places),
                           [&](const ModuleRun& module, const settings::Host& host) {
                             return find_place(places, module.module->name, host.name).has_value();
                           });
  load_handlers(run, fleet);
  const KeptSource kept(folder.path());
  for (const auto& one : fleet.deployments) {
    one->place = *find_place(places, one->module_name(), one->host_name());
    const Place& place = places[one->place];
    take_from(place, folder.path(), *one->module);
    take_from(place, kept, *one);
    one->skip_key = skip_key(*one, run.request.config);
  }
  return fleet;
}

void check_not_stale(const Walk& walk, const Deployment& deployment) {
  const Place& place = walk.folder->facts().places[deployment.place];
  const protocol::SiteState& site = deployment.before;
  if (deployment.site() != place.site) {
    throw Error(Code::stale_plan, fmt::format("{} on {} goes to {} by now, and went to {} when the run began",
                                              place.module, place.host.name, deployment.site(), place.site))
        .hint("deploy again");
  }
  if (site.current == place.previous || site.current == place.release_id) return;
  throw Error(Code::stale_plan,
              fmt::format("{} on {}: somebody else changed what is live there since the run began, to {}",
                          place.module, place.host.name, site.current.empty() ? "nothing" : site.current))
      .hint("deploy again to put this project's state there");
}

void renew_release_ids(Walk& walk) {
  for (const auto& module : walk.fleet.modules) {
    const std::vector<Deployment*>& targets = module->targets;
    const bool taken = std::any_of(targets.begin(), targets.end(),
                                   [](const Deployment* one) { return one->to_do() && is_taken(*one); });
    if (!taken) continue;
    const std::string id = with_time(targets.front()->release_id, walk.run.started);
    for (Deployment* one : targets)
      one->release_id = id;
  }
}

void take_over_sealed(Walk& walk) {
  walk.each_module_on_host([](HostRun& host, Deployment& one) {
    if (!one.to_do() || !is_sealed_at(one, one.before)) return;
    // Again, now that nobody else changes it.
    if (!is_sealed_at(one, host.endpoint->look({site_query(one)}).at(0))) return;
    one.state = State::sealed;
    one.has_tree = true;
  });
  walk.throw_failures();
}

}  // namespace porter::engine
