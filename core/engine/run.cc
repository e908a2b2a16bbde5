#include "core/engine/run.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "core/base/text.h"
#include "core/engine/connect.h"
#include "core/plugin/finder.h"

namespace porter::engine {

BusEvents::BusEvents(event::Sink& sink)
    : sink_(sink), watchdog_([this](const RunningHandler& outer, const RunningHandler& inner) {
        end_process(outer, inner);
      }) {}

void BusEvents::set_handler_limit(std::chrono::milliseconds limit) {
  limit_ = limit;
  watchdog_.set_limit(limit);
}

void BusEvents::end_process(const RunningHandler& outer, const RunningHandler& inner) {
  std::string text = fmt::format("{} failed in {} ({}): still running after {}", outer.owner.describe(),
                                 outer.signal, outer.place.describe(),
                                 base::format_seconds(std::chrono::duration<double>(limit_).count()));
  if (&outer != &inner)
    text +=
        fmt::format(", now in {} of {} ({})", inner.signal, inner.owner.describe(), inner.place.describe());
  const base::Error error =
      base::Error(base::Code::plugin_failed, text)
          .hint("[deploy] handler_timeout in project.ini says how long a handler may take");
  sink_.handle(event::Failure{outer.place.host, outer.place.module, static_cast<int>(error.code()),
                              base::format_error(error)});
  ::_exit(kHandlerOverdue);
}

void BusEvents::handler_started(const bus::Owner& owner, const std::string& signal, const bus::Place& place) {
  sink_.handle(event::SignalStarted{signal, place.module, place.host, owner.name, owner.describe()});
  watchdog_.started({owner, signal, place});
}

void BusEvents::handler_ran(const bus::HandlerRun& run) {
  if (run.owner.kind != bus::OwnerKind::program) watchdog_.ended();
  sink_.handle(event::SignalFired{run.signal, run.place.module, run.place.host, run.owner.name, run.seconds,
                                  run.outcome == bus::Outcome::failed});
}

void BusEvents::observer_failed(const base::Error& error) {
  sink_.handle(event::Talk{event::Level::warning, "", "", "", base::format_error(error)});
}

void BusEvents::warning(const bus::Owner& owner, const bus::Place& place, const std::string& text) {
  sink_.handle(event::Talk{event::Level::warning, owner.name, place.module, place.host, text});
}

Run::Run(const Request& the_request, const Surroundings& the_surroundings)
    : request(the_request),
      around(the_surroundings),
      started(the_surroundings.world.now()),
      shield(the_surroundings.cancel),
      bus_events(the_surroundings.sink),
      connector(the_surroundings.connector ? the_surroundings.connector : dial_host),
      agents(endpoint::AgentBundle::open(endpoint::AgentBundle::folder_for(plugin::running_executable()))) {}

void tell_stats(const Run& run, const std::vector<std::unique_ptr<HostRun>>& hosts) {
  const std::vector<std::string>& debug = run.request.debug;
  if (std::find(debug.begin(), debug.end(), "stats") != debug.end()) run.stats.tell(run.around.sink, hosts);
}

void Run::say(event::Level level, const std::string& text) const {
  around.sink.handle(event::Talk{level, "", "", "", text});
}

// The password database is no place for several threads: asked once.
std::string Run::user() {
  static const std::string known = [] {
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    const passwd* entry = ::getpwuid(::getuid());
    return fmt::format("{}@{}", entry != nullptr ? entry->pw_name : std::to_string(::getuid()), host.data());
  }();
  return known;
}

}  // namespace porter::engine
