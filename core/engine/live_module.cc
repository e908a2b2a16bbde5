#include "core/engine/live_module.h"

#include <fmt/format.h>

#include <filesystem>

#include "core/bus/plugin_lock.h"
#include "core/engine/composition.h"
#include "core/engine/services.h"

namespace porter::engine {

using bus::PluginLock;

LiveModule::LiveModule(Run& run, Deployment& deployment)
    : run_(run),
      module_(*deployment.module),
      deployment_(deployment),
      on_host_(true),
      bus_({deployment.module_name(), deployment.host_name()}, run.registry, run.bus_events),
      services_(std::make_unique<Services>(*this)) {}

LiveModule::LiveModule(Run& run, ModuleRun& module, Deployment& first)
    : run_(run),
      module_(module),
      deployment_(first),
      on_host_(false),
      bus_({module.module->name, ""}, run.registry, run.bus_events),
      services_(std::make_unique<Services>(*this)) {}

LiveModule::~LiveModule() = default;

void LiveModule::register_handlers() {
  if (on_host_) {
    bus_.push(SIG_SOURCE_SEND, [this](Module&, const Payload&) { send(); });
    bus_.push(SIG_ACTIVATE, [this](Module&, const Payload&) { switch_live(); });
  } else {
    bus_.push(SIG_DEPLOY, [this](Module&, const Payload&) { module_.stage_everywhere(); });
  }
  if (module_.hook) {
    const bus::Owner owner{bus::OwnerKind::hook, module_.module->name + "/deployment.so",
                           module_.hook->note().version};
    bus_.call(owner, "register_signal_handlers",
              [&] { module_.hook->plugin().register_signal_handlers(*this); });
  }
  for (const std::string& name : module_.plugins) {
    plugin::LoadedPlugin& loaded = *run_.plugins.at(name);
    const bus::Owner owner{bus::OwnerKind::plugin, name, loaded.note().version};
    bus_.call(owner, "register_signal_handlers", [&] { loaded.plugin().register_signal_handlers(*this); });
  }
}

std::vector<bus::Owner> LiveModule::foreign_handlers(const Signal& signal) const {
  std::vector<bus::Owner> owners;
  for (const bus::HandlerInfo& handler : bus_.handlers(signal)) {
    if (handler.owner.kind != bus::OwnerKind::program) owners.push_back(handler.owner);
  }
  return owners;
}

bool LiveModule::has_foreign_handlers(const Signal& signal) const {
  return !foreign_handlers(signal).empty();
}

void LiveModule::switch_live() {
  const PluginLock::Unlocked waiting;
  const bool all = deployment_.settings->deletion() == settings::Deletion::unknown;
  deployment_.host->endpoint->activate(deployment_.site(), deployment_.release_id, run_.request.run_id,
                                       all ? protocol::Deletion::unknown : protocol::Deletion::listed);
}

void LiveModule::send() {
  if (!deployment_.composed) throw base::Error(base::Code::internal, "there is no composed tree to send");
  stage(*deployment_.composed, deployment_.seeds);
}

void LiveModule::send_folder(const std::string& local_folder) {
  stage(compose_folder(local_folder, *deployment_.settings, run_.shield.waits()).tree, {});
}

void LiveModule::ensure_stage() {
  if (!deployment_.has_tree && on_host_) stage(compose_nothing(), {});
}

void LiveModule::stage(const sync::Composed& composed, const std::vector<std::string>& seeds) {
  if (!on_host_) throw base::Error(base::Code::usage, "sending needs a host, and this signal has none");
  const PluginLock::Unlocked waiting;
  endpoint::Endpoint& endpoint = *deployment_.host->endpoint;
  std::vector<std::string> missing;
  for (const std::string& seed : seeds) {
    if (!endpoint.exists(shared_path(seed))) missing.push_back(seed);
  }
  const auto progress = [this](const endpoint::Progress& now) {
    run_.around.sink.handle(event::Progress{deployment_.module_name(), deployment_.host_name(), "sending",
                                            now.bytes_done, now.bytes_total});
  };
  // What a handler composed lives as long as this call.
  endpoint::ContentStore* store = &composed == deployment_.composed.get() ? run_.contents : nullptr;
  deployment_.report = endpoint.stage(stage_request(deployment_, run_.request), composed, progress, store);
  deployment_.has_tree = true;
  for (const std::string& seed : missing)
    endpoint.upload(module_.checkout.tree / seed, shared_path(seed));
}

std::string LiveModule::shared_path(const std::string& path) const {
  return deployment_.site() + "/shared/" + path;
}

void LiveModule::push_signal_handler(const Signal& signal, Handler handler, const HandlerOptions& options) {
  bus_.push(signal, std::move(handler), options);
}

bool LiveModule::pop_signal_handler(const Signal& signal) {
  return bus_.pop(signal);
}

void LiveModule::replace_signal_handler(const Signal& signal, Handler handler,
                                        const HandlerOptions& options) {
  bus_.replace(signal, std::move(handler), options);
}

void LiveModule::signal(const Signal& signal, const Payload& payload) {
  bus_.emit(signal, *this, payload);
}

std::optional<std::string> LiveModule::get_config_value(std::string_view section,
                                                        std::string_view option) const {
  return deployment_.settings->get(std::string(section), std::string(option));
}

std::string LiveModule::get_config_dir() const {
  return deployment_.settings->config_folder().string();
}

std::string LiveModule::destpath() const {
  if (deployment_.settings->layout() == settings::Layout::inplace) return deployment_.site();
  return deployment_.site() + "/releases/" + deployment_.release_id;
}

std::string LiveModule::livepath() const {
  if (deployment_.settings->layout() == settings::Layout::inplace) return deployment_.site();
  return deployment_.site() + "/current";
}

std::optional<std::string> LiveModule::argument(std::string_view name) const {
  const auto& given = run_.request.plugin_arguments;
  const auto found = given.find(std::string(name));
  if (found == given.end()) return std::nullopt;
  return found->second;
}

void* LiveModule::find_service(std::string_view id) {
  return services_->find(id);
}

}  // namespace porter::engine
