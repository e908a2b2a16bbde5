#include "core/bus/guarded_call.h"

#include <cxxabi.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <vector>

#include "core/base/error.h"
#include "core/bus/plugin_lock.h"

namespace porter::bus {
namespace {

base::Error failure(const CallSite& site, const std::string& reason) {
  const base::Code code =
      site.owner.kind == OwnerKind::program ? base::Code::internal : base::Code::plugin_failed;
  return {code, fmt::format("{} failed in {} ({}): {}", site.owner.describe(), site.what,
                            site.place.describe(), reason)};
}

std::string trail_line(const CallSite& site) {
  return fmt::format("{} handled {} ({})", site.owner.describe(), site.what, site.place.describe());
}

base::Errors with_trail(const base::Errors& errors, const std::string& line) {
  std::vector<base::Error> all = errors.all();
  for (base::Error& error : all)
    error.add_trail(line);
  return base::Errors(std::move(all));
}

std::string text_of(const std::exception& error) {
  const char* text = error.what();
  return text == nullptr || *text == '\0' ? "an exception without a text" : text;
}

void translated(const CallSite& site, const std::function<void()>& code) {
  try {
    code();
  } catch (const base::Interrupted&) {
    throw;
  } catch (base::Error& error) {
    error.add_trail(trail_line(site));
    throw;
  } catch (const base::Errors& errors) {
    throw with_trail(errors, trail_line(site));
  } catch (const abi::__forced_unwind&) {
    std::abort();  // it ends the thread, and with it work that nobody would miss: better the whole run
  } catch (const std::exception& error) {
    throw failure(site, text_of(error));
  } catch (...) {
    throw failure(site, "threw something that is no std::exception");
  }
}

// Tells the watcher when the call is over, however it ended.
class Measured {
 public:
  Measured(const CallSite& site, RunRegistry& registry, Watcher& watcher)
      : site_(site), registry_(registry), watcher_(watcher), start_(std::chrono::steady_clock::now()) {
    if (!foreign()) return;
    registry_.process().enter(site_.owner);
    watcher_.handler_started(site_.owner, site_.what, site_.place);
  }
  Measured(const Measured&) = delete;
  Measured& operator=(const Measured&) = delete;

  void finish(Outcome outcome) {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start_;
    if (foreign()) {
      for (const std::string& change : registry_.process().leave(site_.owner))
        watcher_.warning(site_.owner, site_.place, change);
    }
    watcher_.handler_ran({site_.owner, site_.what, site_.place, took.count(), outcome});
  }

 private:
  bool foreign() const { return site_.owner.kind != OwnerKind::program; }

  const CallSite& site_;
  RunRegistry& registry_;
  Watcher& watcher_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace

std::string Place::describe() const {
  std::string text = "module " + module;
  if (!host.empty()) text += ", host " + host;
  return text;
}

void guarded_call(const CallSite& site, RunRegistry& registry, Watcher& watcher,
                  const std::function<void()>& code) {
  const OwnerScope in_the_name_of(site.owner);
  const PluginLock one_at_a_time(registry.lock_of(site.owner));
  Measured measured(site, registry, watcher);
  try {
    translated(site, code);
  } catch (...) {
    measured.finish(Outcome::failed);
    throw;
  }
  measured.finish(Outcome::returned);
}

}  // namespace porter::bus
