#include "core/engine/run.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <array>

#include "core/engine/connect.h"
#include "core/plugin/finder.h"

namespace porter::engine {

void BusEvents::handler_ran(const bus::HandlerRun& run) {
  sink_.handle(event::SignalFired{run.signal, run.place.module, run.place.host, run.owner.name, run.seconds});
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
