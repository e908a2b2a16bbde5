#pragma once
// The records of a run: a host with its connection, a module with its source and plugins, and a module on a
// host with how far it has come. The conductor owns them and hands each to one thread at a time; they live
// until the run ends.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/endpoint/endpoint.h"
#include "core/plugin/loader.h"
#include "core/protocol/values.h"
#include "core/settings/project.h"
#include "core/source/source.h"
#include "core/sync/compose.h"
#include "core/transport/transport.h"

namespace porter::engine {

class LiveModule;
struct Deployment;

// A host as one user; modules that `become` different users on it have a HostRun each.
struct HostRun {
  settings::Host host;
  std::string become;         // "": who logs in
  endpoint::Opening opening;  // asked as soon as it answers; before it is connected
  std::unique_ptr<transport::Transport> transport;
  std::unique_ptr<endpoint::Endpoint> endpoint;
  std::optional<base::Error> failure;  // it cannot be reached
};

struct ModuleRun {
  ModuleRun();
  ~ModuleRun();

  const settings::Module* module = nullptr;
  const settings::Ref* ref = nullptr;
  bool forced = false;
  source::Checkout checkout;
  std::vector<std::string> plugins;            // names, in ini order
  std::unique_ptr<plugin::LoadedPlugin> hook;  // deployment.so; null without one
  std::string handlers_key;                    // names, versions and digests of hook and plugins
  std::vector<Deployment*> targets;            // all hosts of the run
  std::unique_ptr<LiveModule> scope;           // for module-scope signals; null until something is to do
  std::function<void()> stage_everywhere;      // the default of SIG_DEPLOY: stage and seal on all hosts
  std::function<void()> run_default;           // for a handler that replaces it: stage, activate and commit
};

// How far a module on a host has come. Kept in step with the journal.
enum class State {
  planned,
  unchanged,
  staging,     // the target holds an unfinished stage
  sealed,      // staged, complete, durable; not live
  activating,  // somewhere between the old and the new release
  active,      // live, not committed
  committed,
  undone,  // what was staged or live is taken back
  undo_failed,
};

struct Deployment {
  Deployment();
  ~Deployment();

  ModuleRun* module = nullptr;
  HostRun* host = nullptr;
  std::optional<settings::ModuleSettings> settings;
  std::shared_ptr<const sync::Composed> composed;  // shared by hosts that want the same
  std::vector<std::string> seeds;                  // shared paths that the source has content for
  std::string skip_key;
  base::Digest source_root{};  // of the composed tree before any build
  // Of the release that this run makes, or makes live again.
  std::string release_id;
  std::string version;
  std::string commit;
  std::size_t place = 0;  // its number in the run's folder
  protocol::SiteState before;
  std::chrono::steady_clock::time_point compared;  // when its drift was looked for
  State state = State::planned;
  bool was_live = false;   // activation had begun
  bool has_tree = false;   // the target has a tree of this release, staged or sealed
  bool locked = false;     // the lock of the site is held by this run's connection
  bool installs = false;   // files outside of the tree come with it
  std::string drift_told;  // the warning about its drift, given once
  protocol::StageReport report;
  std::unique_ptr<LiveModule> live;
  std::optional<base::Error> failure;
  std::chrono::steady_clock::time_point began;  // of the staging; zero: not begun

  const std::string& module_name() const { return module->module->name; }
  const std::string& host_name() const { return host->host.name; }
  const std::string& site() const { return settings->path(); }
  bool to_do() const { return state != State::unchanged; }
};

// The site holds the deployment's very release, sealed: an earlier attempt of the same run brought it there.
bool is_sealed_at(const Deployment& deployment, const protocol::SiteState& site);

}  // namespace porter::engine
