#pragma once
// Everything a run does before it talks to any target: project, hosts, modules, plugins, sources, composed
// trees. Mistakes of the user end here, with exit code 2 or 10, and nothing has been touched.

#include <memory>
#include <vector>

#include "core/engine/composition.h"
#include "core/engine/deployment.h"
#include "core/engine/run.h"

namespace porter::engine {

// The records of one deploy, in the project's order: modules (dependencies first), hosts, and each module on
// each host.
struct Fleet {
  std::vector<std::unique_ptr<ModuleRun>> modules;
  std::vector<std::unique_ptr<HostRun>> hosts;
  std::vector<std::unique_ptr<Deployment>> deployments;  // module by module
  Compositions compositions;

  std::vector<Deployment*> on(const HostRun& host) const;
};

// Reads and validates the project of the request into run.project. Throws base::Error and base::Errors.
void load_project(Run& run);
// The hosts that the request means.
std::vector<settings::Host> choose_hosts(const Run& run);
// Modules and hosts of the request with their settings, and RunStarted told: enough to look at sites.
Fleet open_fleet(Run& run);
// The same for these modules, on these hosts, where `wanted` says so.
Fleet open_fleet(Run& run, std::vector<std::unique_ptr<ModuleRun>> modules,
                 const std::vector<settings::Host>& hosts,
                 const std::function<bool(const ModuleRun&, const settings::Host&)>& wanted);
// Whether it is deployed though nothing changed.
bool is_forced(const Request& request, const std::string& module);
// The module's deployment.so, compiled when that is needed, when it has one. Throws base::Error.
void load_hook(Run& run, ModuleRun& module);
// Whose plugins and hooks may be loaded.
plugin::TrustRules trust_rules(const Run& run);
// All hooks and plugins.
void load_handlers(Run& run, Fleet& fleet);
// Both, for what changes sites.
Fleet open_deploy(Run& run);
// For a deploy: sources checked out, trees composed, releases named.
void compose_fleet(Run& run, Fleet& fleet);
// Handlers registered, for the module and for each host that something is to be done on; those that have
// them already are left alone.
void open_scope(Run& run, ModuleRun& module);
// SIG_SOURCE_PREPARE and the build, for a module that is going to be deployed; its trees are composed anew.
void build_module(Run& run, Fleet& fleet, ModuleRun& module);

}  // namespace porter::engine
