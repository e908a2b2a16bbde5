#pragma once
// What every part of one run shares. Made by the engine for one request; outlives all records of
// deployment.h.

#include <map>
#include <memory>
#include <string>

#include "core/bus/run_registry.h"
#include "core/bus/watcher.h"
#include "core/endpoint/agent_bundle.h"
#include "core/endpoint/content_store.h"
#include "core/engine/engine.h"
#include "core/engine/shield.h"
#include "core/engine/stats.h"
#include "core/engine/watchdog.h"
#include "core/plugin/loader.h"
#include "core/settings/project.h"
#include "core/transport/ssh_transport.h"

namespace porter::engine {

// The worker's exit status after a handler that did not end; the Failure event before it says which.
inline constexpr int kHandlerOverdue = 124;

// What happens on the buses, as events; and the watchdog that is told of it.
class BusEvents : public bus::Watcher {
 public:
  explicit BusEvents(event::Sink& sink);
  // A handler that runs for longer is told as a Failure, and ends the process with kHandlerOverdue.
  void set_handler_limit(std::chrono::milliseconds limit);
  void handler_started(const bus::Owner& owner, const std::string& signal, const bus::Place& place) override;
  void handler_ran(const bus::HandlerRun& run) override;
  void observer_failed(const base::Error& error) override;
  void warning(const bus::Owner& owner, const bus::Place& place, const std::string& text) override;

 private:
  [[noreturn]] void end_process(const RunningHandler& outer, const RunningHandler& inner);

  event::Sink& sink_;
  std::chrono::milliseconds limit_{0};
  Watchdog watchdog_;
};

struct Run {
  Run(const Request& the_request, const Surroundings& the_surroundings);

  void say(event::Level level, const std::string& text) const;
  // "ada@laptop"
  static std::string user();

  const Request& request;
  bool resumes = false;  // it ended early, and goes on with what its folder keeps
  const Surroundings& around;
  base::WallTime started;
  Shield shield;
  settings::Project project;
  std::map<std::string, std::unique_ptr<plugin::LoadedPlugin>> plugins;  // by name; one instance a run
  std::shared_ptr<bus::RunRegistry> registry = std::make_shared<bus::RunRegistry>();
  BusEvents bus_events;
  Connector connector;
  Stats stats;
  endpoint::ContentStore* contents = nullptr;  // what is sent comes from there; the walk's own
  endpoint::AgentBundle agents;
  transport::SshLoops loops;
};

// With -d stats: where the time went.
void tell_stats(const Run& run, const std::vector<std::unique_ptr<HostRun>>& hosts);

}  // namespace porter::engine
