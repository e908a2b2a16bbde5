#include "core/engine/prepare.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/files.h"
#include "core/base/text.h"
#include "core/engine/live_module.h"
#include "core/engine/plugin_catalog.h"
#include "core/plugin/doorway.h"
#include "core/plugin/hook_compiler.h"
#include "core/settings/select.h"
#include "core/source/build.h"
#include "core/source/folder_lock.h"

namespace porter::engine {
namespace {

// Compiling a hook takes seconds; this is for a compiler that hangs.
constexpr std::chrono::minutes kHookDeadline{5};

source::RefKind ref_kind(settings::RefKind kind) {
  switch (kind) {
    case settings::RefKind::branch:
      return source::RefKind::branch;
    case settings::RefKind::tag:
      return source::RefKind::tag;
    case settings::RefKind::version:
      return source::RefKind::version;
    case settings::RefKind::implied:
      return source::RefKind::default_ref;
  }
  return source::RefKind::default_ref;
}

void check_out(Run& run, ModuleRun& module) {
  source::SourceRequest request;
  request.url = module.module->scm_url;
  request.module_folder = module.module->folder;
  request.kind = ref_kind(module.ref->kind);
  request.ref = module.ref->value;
  request.cache_folder = run.around.world.cache_folder() / "sources";
  request.module_name = module.module->name;
  base::while_doing("checking out module " + module.module->name,
                    [&] { module.checkout = source::make_source(request)->checkout(run.shield.waits()); });
  run.around.sink.handle(
      event::ModulePinned{module.module->name, module.checkout.version, module.checkout.commit});
}

std::string file_key(const std::string& name, const std::string& version, const std::filesystem::path& file) {
  return fmt::format("{} {} {}\n", name, version, base::to_hex(base::sha256_of_file(file)));
}

void load_plugins(Run& run, PluginCatalog& catalog, ModuleRun& module, const plugin::TrustRules& rules) {
  for (const settings::PluginSection& section : module.module->plugins) {
    const plugin::PluginNote& note = catalog.note(section.name);
    module.plugins.push_back(section.name);
    module.handlers_key += file_key(note.name, note.version, note.path);
    if (run.plugins.contains(section.name)) continue;
    plugin::Expectation expectation;
    expectation.name = section.name;
    expectation.services = plugin::sdk_services();
    run.plugins.emplace(section.name, std::make_unique<plugin::LoadedPlugin>(
                                          plugin::LoadedPlugin::load(note.path, expectation, rules)));
  }
}

void compose_deployment(Run& run, Fleet& fleet, Deployment& deployment) {
  base::while_doing(
      fmt::format("composing {} for {}", deployment.module_name(), deployment.host_name()), [&] {
        const auto composition =
            fleet.compositions.compose(deployment.module->checkout, *deployment.settings, run.shield.waits());
        deployment.composed = {composition, &composition->tree};
        deployment.seeds = composition->seeds;
      });
}

// The connection to a host as this user; made when there is none yet.
HostRun& host_as(Fleet& fleet, const settings::Host& host, const std::string& become) {
  for (const auto& known : fleet.hosts) {
    if (known->host.name == host.name && known->become == become) return *known;
  }
  auto made = std::make_unique<HostRun>();
  made->host = host;
  made->become = become;
  fleet.hosts.push_back(std::move(made));
  return *fleet.hosts.back();
}

// Keeps what work() throws, so that all mistakes are shown at once.
void collect(std::vector<base::Error>& problems, const std::function<void()>& work) {
  try {
    work();
  } catch (const base::Error& problem) {
    problems.push_back(problem);
  } catch (const base::Errors& several) {
    problems.insert(problems.end(), several.all().begin(), several.all().end());
  }
}

// Whether config files are taken from here: nothing else sends them, and a resumed run has its own.
bool sends_config_files(const Run& run) {
  return run.request.action == Action::deploy && !run.resumes;
}

// Every module on every wanted host: settings resolved and, to be deployed, config files seen.
void add_deployments(Run& run, Fleet& fleet, const std::vector<settings::Host>& hosts,
                     const std::function<bool(const ModuleRun&, const settings::Host&)>& wanted) {
  std::vector<base::Error> problems;
  std::map<std::string, std::vector<settings::ModuleSettings>> by_host;
  for (const auto& module : fleet.modules) {
    for (const settings::Host& host : hosts) {
      if (!wanted(*module, host)) continue;
      collect(problems, [&] {
        auto deployment = std::make_unique<Deployment>();
        deployment->module = module.get();
        deployment->settings = run.project.settings_for(*module->module, host, run.request.config);
        by_host[host.name].push_back(*deployment->settings);
        if (sends_config_files(run)) settings::check_config_files(*deployment->settings);
        deployment->host = &host_as(fleet, host, deployment->settings->become());
        module->targets.push_back(deployment.get());
        fleet.deployments.push_back(std::move(deployment));
      });
    }
  }
  for (const auto& here : by_host)
    collect(problems, [&] { settings::check_paths_apart(here.second); });
  if (!problems.empty()) throw base::Errors(std::move(problems));
}

std::vector<std::unique_ptr<ModuleRun>> choose_modules(Run& run) {
  const Request& request = run.request;
  const auto with =
      request.with_dependencies ? settings::WithDependencies::yes : settings::WithDependencies::no;
  for (const std::string& name : request.force)
    settings::select_modules(run.project, {name}, settings::WithDependencies::no);
  std::vector<std::unique_ptr<ModuleRun>> modules;
  for (const settings::Module* module : settings::select_modules(run.project, request.modules, with)) {
    auto made = std::make_unique<ModuleRun>();
    made->module = module;
    if (request.action == Action::deploy) made->ref = &settings::choose_ref(*module, request.ref);
    made->forced = is_forced(request, module->name);
    modules.push_back(std::move(made));
  }
  return modules;
}

// Sources without commits name their content instead.
std::string version_mark(const ModuleRun& module, const Deployment& first) {
  if (!module.checkout.commit.empty()) return module.checkout.commit;
  return base::to_hex(first.composed->tree.root_digest());
}

// The same id on all hosts.
void name_release(const Run& run, ModuleRun& module) {
  const std::string id = make_release_id(run.request.run_id, version_mark(module, *module.targets.front()));
  for (Deployment* deployment : module.targets) {
    deployment->release_id = id;
    deployment->version = module.checkout.version;
    deployment->commit = module.checkout.commit;
  }
}

// On any host: they share what is built.
source::Kept kept_of(const ModuleRun& module) {
  source::Kept kept;
  for (const Deployment* deployment : module.targets) {
    kept.owners |= deployment->settings->owners() != settings::Owners::none;
    kept.attributes |= deployment->settings->xattrs();
  }
  return kept;
}

// A copy of the source to build in; no other run builds there while the checkout lives.
void make_private_checkout(Run& run, ModuleRun& module) {
  const std::filesystem::path builds = run.around.world.cache_folder() / "builds" / run.project.id;
  base::make_folders(builds, 0700);
  auto hold = std::make_shared<const source::FolderLock>(
      source::FolderLock::wait(builds / (module.module->name + ".lock"), run.shield.waits()));
  module.checkout = source::make_private(module.checkout, builds / module.module->name, run.shield.waits(),
                                         kept_of(module));
  module.checkout.hold = std::move(hold);
}

}  // namespace

std::vector<Deployment*> Fleet::on(const HostRun& host) const {
  std::vector<Deployment*> found;
  for (const auto& deployment : deployments) {
    if (deployment->host == &host) found.push_back(deployment.get());
  }
  return found;
}

void load_project(Run& run) {
  settings::ProjectFiles files = settings::read_project_files(run.request.directory, run.around.world);
  PluginCatalog catalog(run.around.world, files.plugin_folders, run.request.plugin_path);
  run.project = settings::make_project(std::move(files), catalog.schemas());
  run.bus_events.set_handler_limit(run.project.handler_timeout);
  if (loads_handlers(run.request.action)) catalog.check(run.project.plugins);
  if (!run.request.config.empty()) settings::check_config(run.project, run.request.config);
}

std::vector<settings::Host> choose_hosts(const Run& run) {
  return settings::select_hosts(run.project, run.request.hosts, run.request.config);
}

Fleet open_fleet(Run& run) {
  return open_fleet(run, choose_modules(run), choose_hosts(run),
                    [](const ModuleRun&, const settings::Host&) { return true; });
}

bool is_forced(const Request& request, const std::string& module) {
  const bool named = std::find(request.force.begin(), request.force.end(), module) != request.force.end();
  // An argument of a plugin asks for something to be done, so everything runs.
  return named || request.force_all || !request.plugin_arguments.empty();
}

Fleet open_fleet(Run& run, std::vector<std::unique_ptr<ModuleRun>> modules,
                 const std::vector<settings::Host>& hosts,
                 const std::function<bool(const ModuleRun&, const settings::Host&)>& wanted) {
  Fleet fleet;
  fleet.compositions = Compositions(run.around.world.cache_folder() / "digests");
  if (run.request.action == Action::deploy && !run.request.dry_run)
    fleet.compositions.spool_in(run.around.world.state_folder());
  fleet.modules = std::move(modules);
  event::RunStarted started{run.request.run_id,
                            name_of(run.resumes ? Action::resume : run.request.action),
                            run.project.name,
                            run.request.config,
                            run.request.ref,
                            run.request.message,
                            Run::user(),
                            {},
                            {}};
  for (const settings::Host& host : hosts)
    started.hosts.push_back(host.name);
  for (const auto& module : fleet.modules)
    started.modules.push_back(module->module->name);
  run.around.sink.handle(started);
  add_deployments(run, fleet, hosts, wanted);
  return fleet;
}

plugin::TrustRules trust_rules(const Run& run) {
  plugin::TrustRules rules;
  rules.trusted = run.project.trusted;
  return rules;
}

void load_hook(Run& run, ModuleRun& module) {
  const plugin::TrustRules rules = trust_rules(run);
  plugin::HookSettings settings = plugin::hook_settings(run.around.world, plugin::running_executable());
  settings.trust = rules;
  settings.compiling = [&](const std::filesystem::path& source) {
    run.say(event::Level::info, "compiling " + source.string());
  };
  const auto hook = plugin::module_hook(module.module->folder, settings, base::Deadline::in(kHookDeadline),
                                        run.shield.waits());
  if (!hook) return;
  plugin::Expectation expectation;
  expectation.kind = "deployment";
  expectation.services = plugin::sdk_services();
  module.hook =
      std::make_unique<plugin::LoadedPlugin>(plugin::LoadedPlugin::load(hook->library, expectation, rules));
  module.handlers_key += file_key("deployment", module.hook->note().version, hook->library);
}

void load_handlers(Run& run, Fleet& fleet) {
  PluginCatalog catalog(run.around.world, run.project.plugin_folders, run.request.plugin_path);
  for (const auto& module : fleet.modules) {
    load_hook(run, *module);
    load_plugins(run, catalog, *module, trust_rules(run));
  }
}

Fleet open_deploy(Run& run) {
  Fleet fleet = open_fleet(run);
  load_handlers(run, fleet);
  return fleet;
}

void compose_fleet(Run& run, Fleet& fleet) {
  for (const auto& module : fleet.modules)
    check_out(run, *module);
  for (const auto& deployment : fleet.deployments) {
    compose_deployment(run, fleet, *deployment);
    deployment->source_root = deployment->composed->tree.root_digest();
    deployment->skip_key = skip_key(*deployment, run.request.config);
  }
  fleet.compositions.forget_walks();
  for (const auto& module : fleet.modules)
    name_release(run, *module);
}

void open_scope(Run& run, ModuleRun& module) {
  if (!module.scope) {
    module.scope = std::make_unique<LiveModule>(run, module, *module.targets.front());
    module.scope->register_handlers();
  }
  for (Deployment* deployment : module.targets) {
    if (!deployment->to_do() || deployment->live) continue;
    deployment->live = std::make_unique<LiveModule>(run, *deployment);
    deployment->live->register_handlers();
  }
}

void build_module(Run& run, Fleet& fleet, ModuleRun& module) {
  const std::vector<std::string> build = module.targets.front()->settings->build();
  const bool handled = module.scope->has_foreign_handlers(SIG_SOURCE_PREPARE);
  if (build.empty() && !handled) return;
  fleet.compositions.forget(module.checkout);
  if (!module.checkout.is_private_copy) make_private_checkout(run, module);
  base::while_doing("preparing module " + module.module->name, [&] {
    module.scope->signal(SIG_SOURCE_PREPARE, {});
    if (build.empty()) return;
    source::BuildRequest request;
    request.arguments = build;
    request.environment = {{"PORTER_MODULE", module.module->name},
                           {"PORTER_COMMIT", module.checkout.commit},
                           {"PORTER_CONFIG", run.request.config},
                           {"PORTER_RELEASE", run.request.ref}};
    request.on_line = [&](std::string_view line) {
      run.around.sink.handle(
          event::Talk{event::Level::info, "build", module.module->name, "", std::string(line)});
    };
    source::run_build(module.checkout, request, run.shield.waits());
  });
  for (Deployment* deployment : module.targets)
    compose_deployment(run, fleet, *deployment);
}

}  // namespace porter::engine
