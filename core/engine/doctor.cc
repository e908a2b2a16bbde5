#include "core/engine/doctor.h"

#include <fmt/format.h>

#include <atomic>
#include <cstdlib>

#include "core/base/files.h"
#include "core/base/text.h"
#include "core/engine/composition.h"
#include "core/engine/connect.h"
#include "core/engine/plugin_catalog.h"
#include "core/engine/walk.h"

namespace porter::engine {
namespace {

using base::Error;
using base::ExitCode;

constexpr std::uint64_t kFewBytes = 64U << 20U;  // less than this is no room for the next release
constexpr std::uint64_t kFewInodes = 1000;
constexpr std::int64_t kClockSeconds = 5;  // histories of several hosts are read together

class Doctor {
 public:
  explicit Doctor(Run& run) : run_(run), walk_(run) {}

  ExitCode examine() {
    walk_.fleet = open_fleet(run_);
    check_handlers();
    walk_.each_host([&](HostRun& host) { examine_host(host); });
    run_.shield.user().check();
    return problems_ == 0 ? ExitCode::ok : ExitCode::some_hosts_failed;
  }

 private:
  void tell(event::Checked checked) {
    if (checked.verdict == "problem") ++problems_;
    run_.around.sink.handle(std::move(checked));
  }
  void tell_problem(const std::string& host, const std::string& module, const std::string& subject,
                    const Error& error, const std::string& fix = "") {
    const std::string& file = error.where().file;
    tell({host, module, subject, "problem", file.empty() ? error.message() : file + ": " + error.message(),
          error.hint_text().empty() ? fix : error.hint_text()});
  }

  // --- this machine ---

  void check_handlers() {
    PluginCatalog catalog(run_.around.world, run_.project.plugin_folders, run_.request.plugin_path);
    const plugin::TrustRules rules = trust_rules(run_);
    for (const std::string& name : run_.project.plugins) {
      try {
        const plugin::PluginNote& note = catalog.note(name);
        plugin::check_trusted(note.path, rules);
        tell({"", "", "plugin", "ok", fmt::format("{} {}", name, note.version), ""});
      } catch (const Error& error) {
        tell_problem("", "", "plugin", error);
      }
    }
    for (const auto& module : walk_.fleet.modules)
      check_hook(*module);
    for (const auto& one : walk_.fleet.deployments)
      check_config_files(*one);
  }

  void check_config_files(const Deployment& one) {
    try {
      settings::check_config_files(*one.settings);
    } catch (const base::Errors& errors) {
      for (const Error& error : errors.all())
        tell_problem(one.host_name(), one.module_name(), "config file", error,
                     "a config file has to lie in the module's config folder");
    }
  }

  void check_hook(ModuleRun& module) {
    const std::filesystem::path& folder = module.module->folder;
    const bool source = std::filesystem::exists(folder / "deployment.cpp");
    if (!source && !std::filesystem::exists(folder / "deployment.so")) return;
    try {
      load_hook(run_, module);
      tell({"", module.module->name, "hook", "ok", source ? "deployment.cpp compiles" : "deployment.so loads",
            ""});
    } catch (const Error& error) {
      tell_problem("", module.module->name, "hook", error,
                   "correct it, or put a deployment.so in its place that was built elsewhere");
    }
  }

  // --- a host ---

  void examine_host(HostRun& host) {
    connect(run_, host);
    const std::string& name = host.host.name;
    if (host.failure) return tell_problem(name, "", host.host.local ? "agent" : "ssh", *host.failure);
    tell({name, "", host.host.local ? "agent" : "ssh", "ok",
          fmt::format("{} as {}", host.endpoint->where(), host.endpoint->hello().user), ""});
    check_clock(host);
    check_sudo(host);
    const std::vector<Deployment*> here = walk_.fleet.on(host);
    for (const Deployment* one : here) {
      try {
        check_site(*one, host.endpoint->look({site_query(*one)}).at(0));
      } catch (const Error& error) {
        tell_problem(name, one->module_name(), "folder", error);
      }
    }
  }

  void check_clock(const HostRun& host) {
    using std::chrono::system_clock;
    const std::int64_t off = host.endpoint->hello().clock - system_clock::to_time_t(system_clock::now());
    if (std::abs(off) <= kClockSeconds) return tell({host.host.name, "", "clock", "ok", "agrees", ""});
    tell({host.host.name, "", "clock", "warning",
          fmt::format("is {} s {}", std::abs(off), off > 0 ? "ahead" : "behind"),
          "let both machines take their time from a server (timedatectl set-ntp true)"});
  }

  // Needed by `become` (which the connection has tried) and by handlers that ask for it.
  void check_sudo(const HostRun& host) {
    protocol::RunRequest request;
    request.arguments = {"sudo", "-n", "true"};
    request.deadline_seconds = 30;
    bool works = false;
    try {
      works = host.endpoint->run(request).ok();
    } catch (const Error&) {
      // not installed
    }
    tell({host.host.name, "", "sudo", works ? "ok" : "warning",
          works ? "works without a password" : "does not work without a password",
          works ? "" : "only needed where plugins use sudo: visudo, NOPASSWD for the programs they run"});
  }

  void check_site(const Deployment& one, const protocol::SiteState& site) {
    const auto say = [&](const char* subject, const char* verdict, const std::string& text,
                         const std::string& fix) {
      tell({one.host_name(), one.module_name(), subject, verdict, text, fix});
    };
    if (site.standing == protocol::Standing::foreign)
      say("folder", "problem", site.reason, "deploy --adopt takes it over; or choose another [module] path");
    if (site.standing == protocol::Standing::newer)
      say("folder", "problem", site.reason, "use the newer porter-admin");
    if (!site.one_file_system)
      say("file system", "problem", one.site() + " is spread over several file systems",
          "releases, shared and .porter have to be on one: a switch is a rename");
    if (site.seal_damaged)
      say("seal", "problem", "the seal of the live release is damaged", "deploy --force makes a new release");
    if (!site.pending.empty())
      say("release", "warning", "the live release was never committed: run " + site.pending_run,
          "porter-admin resume " + site.pending_run + ", or deploy again");
    if (site.leftovers > 0 && !site.locked)  // else they are the work of whoever holds the lock
      say("leftovers", "warning", fmt::format("{} of ended runs", site.leftovers),
          "the next deploy removes them");
    for (const protocol::Freeze& freeze : site.frozen)
      say("freeze", "warning",
          fmt::format("config {} is frozen by {}: {}", freeze.config, freeze.who, freeze.reason),
          "porter-admin unfreeze --config " + freeze.config);
    check_disk(one, site);
  }

  void check_disk(const Deployment& one, const protocol::SiteState& site) {
    const std::string text = fmt::format(
        "{} free{}", base::format_bytes(site.free_bytes),
        site.free_inodes > (std::uint64_t{1} << 60U) ? "" : fmt::format(", {} inodes", site.free_inodes));
    const bool low = site.free_bytes < kFewBytes || site.free_inodes < kFewInodes;
    tell(
        {one.host_name(), one.module_name(), "disk", low ? "problem" : "ok", text,
         low ? fmt::format("free some on the file system of {}; fewer keep_releases help", one.site()) : ""});
  }

  Run& run_;
  Walk walk_;
  std::atomic<int> problems_{0};
};

}  // namespace

ExitCode examine(Run& run) {
  load_project(run);
  return Doctor(run).examine();
}

}  // namespace porter::engine
