#pragma once
// porter::Module as handlers see it, and the services behind it: one object per module and host, and one per
// module for module-scope signals. Signals go to a bus of its own; everything else is answered from the run's
// records.

#include <memory>
#include <string>

#include <porter/module.h>

#include "core/bus/bus.h"
#include "core/engine/deployment.h"
#include "core/engine/run.h"

namespace porter::engine {

class Services;

class LiveModule final : public Module {
 public:
  // On a host.
  LiveModule(Run& run, Deployment& deployment);
  // In module scope: before and above all hosts. Settings are those of `first`, the first host of the run.
  LiveModule(Run& run, ModuleRun& module, Deployment& first);
  ~LiveModule() override;

  // Pushes the defaults, then the hook's handlers, then the plugins' in ini order. Throws what bus::Bus::call
  // does.
  void register_handlers();
  // Whether somebody other than porter-admin handles it.
  bool has_foreign_handlers(const Signal& signal) const;
  // In the order they run.
  std::vector<bus::Owner> foreign_handlers(const Signal& signal) const;

  // The default handlers' work; also what the services offer.
  void send();
  void send_folder(const std::string& local_folder);
  // Makes sure that destpath() exists, for handlers that fill it themselves.
  void ensure_stage();
  void switch_live();

  void push_signal_handler(const Signal& signal, Handler handler, const HandlerOptions& options) override;
  bool pop_signal_handler(const Signal& signal) override;
  void replace_signal_handler(const Signal& signal, Handler handler, const HandlerOptions& options) override;
  void signal(const Signal& signal, const Payload& payload) override;
  std::optional<std::string> get_config_value(std::string_view section,
                                              std::string_view option) const override;
  std::string get_config_dir() const override;
  std::string destpath() const override;
  std::string livepath() const override;
  std::optional<std::string> argument(std::string_view name) const override;
  void* find_service(std::string_view id) override;

  Run& run() { return run_; }
  ModuleRun& module_run() { return module_; }
  Deployment& deployment() { return deployment_; }
  bool on_host() const { return on_host_; }

 private:
  void stage(const sync::Composed& composed, const std::vector<std::string>& seeds);
  std::string shared_path(const std::string& path) const;

  Run& run_;
  ModuleRun& module_;
  Deployment& deployment_;
  bool on_host_;
  bus::Bus bus_;
  std::unique_ptr<Services> services_;
};

}  // namespace porter::engine
