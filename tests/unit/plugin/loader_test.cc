#include "core/plugin/loader.h"

#include <sys/stat.h>

#include <cstdlib>

#include "core/bus/bus.h"
#include "tests/support/bus_module.h"
#include "tests/support/catch.h"
#include "tests/unit/plugin/plugin_fixture.h"

using namespace porter;
using namespace porter::tests;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

// A static constructor of a marked fixture makes this file: proof that its code ran.
class Mark {
 public:
  Mark() { ::setenv("PORTER_TEST_MARK", file().c_str(), 1); }
  ~Mark() { ::unsetenv("PORTER_TEST_MARK"); }
  bool left() const { return fs::exists(file()); }

 private:
  fs::path file() const { return folder_.path() / "mark"; }
  base::TemporaryFolder folder_;
};

plugin::Expectation asked_for(const std::string& name) {
  return {.name = name, .services = plugin::sdk_services()};
}

plugin::LoadedPlugin load(const PluginFolder& folder, const std::string& name) {
  return plugin::LoadedPlugin::load(folder.copy(name), asked_for(name), {});
}

struct Listener : bus::Watcher {
  void warning(const bus::Owner&, const bus::Place&, const std::string& text) override {
    warnings.push_back(text);
  }
  std::vector<std::string> warnings;
};

// A loaded plugin, registered on a module as the engine does it.
struct Registered {
  PluginFolder folder;
  Listener listener;
  plugin::LoadedPlugin loaded;
  BusModule module{{"root", "testing"}, std::make_shared<bus::RunRegistry>(), listener};

  explicit Registered(const std::string& name) : loaded(load(folder, name)) {}
  void enter() {
    const bus::Owner owner = {bus::OwnerKind::plugin, loaded.note().name, loaded.note().version};
    module.bus.call(owner, "register_signal_handlers",
                    [&] { loaded.plugin().register_signal_handlers(module); });
  }
};

}  // namespace

TEST_CASE("a good plugin is loaded and does its work", "[loader]") {
  Registered audit("acme.audit");
  audit.module.settings["plugin:acme.audit/file"] = (audit.folder.path() / "audit.log").string();
  audit.module.arguments["audit-note"] = "friday";
  audit.enter();
  audit.module.emit(SIG_SOURCE_POST_SEND);
  CHECK(base::read_file(audit.folder.path() / "audit.log") == "/srv/app/releases/1 friday\n");
}

TEST_CASE("everything that a plugin throws is named with plugin, version, signal, module and host",
          "[loader]") {
  Registered throws("acme.throws");
  throws.enter();
  const auto message_of = [&](std::string_view signal) {
    return error_of([&] { throws.module.emit(Signal::named(signal)); }).message();
  };
  CHECK(message_of("throw-standard") ==
        "plugin acme.throws 0.3 failed in throw-standard (module root, host testing): the disk is on fire");
  CHECK(message_of("throw-own") ==
        "plugin acme.throws 0.3 failed in throw-own (module root, host testing): of a private type");
  CHECK_THAT(message_of("throw-int"),
             Contains("throws 0.3 failed in throw-int") && Contains("no std::exception"));
}

TEST_CASE("a plugin that fails at registration is named", "[loader]") {
  Registered throws("acme.throws");
  throws.module.arguments["fail-at-registration"] = "";
  CHECK_THAT(error_of([&] { throws.enter(); }).message(),
             Contains("plugin acme.throws 0.3 failed in register_signal_handlers") &&
                 Contains("no registration today"));
}

TEST_CASE("a plugin that leaves the process changed is named, and the change undone", "[loader]") {
  const fs::path folder_before = fs::current_path();
  const mode_t umask_before = ::umask(027);
  Registered careless("acme.careless");
  careless.enter();
  careless.module.emit(SIG_SOURCE_POST_SEND);
  CHECK(fs::current_path() == folder_before);
  CHECK(::umask(umask_before) == 027);
  REQUIRE(careless.listener.warnings.size() >= 2);
  for (const std::string& warning : careless.listener.warnings)
    CHECK_THAT(warning, Contains("plugin acme.careless 1.0 changed"));
}

TEST_CASE("a loaded plugin's static constructors run: the mark works", "[loader]") {
  const Mark mark;
  const PluginFolder folder;
  const plugin::LoadedPlugin loaded = load(folder, "acme.marker");
  CHECK(loaded.note().name == "acme.marker");
  CHECK(mark.left());
}

TEST_CASE("no code of a refused plugin runs", "[loader]") {
  const Mark mark;
  const PluginFolder folder;
  const std::string name = GENERATE("acme.old_abi", "acme.debug_library", "acme.needy", "acme.no_entry",
                                    "acme.no_note", "acme.undefined");
  CAPTURE(name);
  CHECK(error_of([&] { load(folder, name); }).code() == base::Code::plugin_refused);
  CHECK_FALSE(mark.left());
}

TEST_CASE("no code of a plugin runs when the file is not to be trusted, truncated, or another's",
          "[loader]") {
  const Mark mark;
  const PluginFolder folder;
  const fs::path file = folder.copy("acme.marker");
  fs::permissions(file, fs::perms(0666));
  CHECK_THROWS_AS(plugin::LoadedPlugin::load(file, asked_for("acme.marker"), {}), base::Error);
  fs::permissions(file, fs::perms(0644));
  CHECK_THROWS_AS(plugin::LoadedPlugin::load(file, asked_for("acme.other"), {}), base::Error);
  fs::resize_file(file, fs::file_size(file) * 2 / 3);
  CHECK_THAT(error_of([&] { plugin::LoadedPlugin::load(file, asked_for("acme.marker"), {}); }).message(),
             Contains("truncated"));
  CHECK_FALSE(mark.left());
}

TEST_CASE("an undefined symbol is shown as people write it", "[loader]") {
  const PluginFolder folder;
  const base::Error error = error_of([&] { load(folder, "acme.undefined"); });
  CHECK_THAT(error.message(), Contains("undefined symbol: acme::exists_nowhere("));
}

TEST_CASE("a missing entry symbol is named", "[loader]") {
  const PluginFolder folder;
  CHECK_THAT(error_of([&] { load(folder, "acme.no_entry"); }).message(),
             Contains("does not export porter_plugin_entry"));
}

TEST_CASE("a plugin whose constructor fails says why", "[loader]") {
  const PluginFolder folder;
  const base::Error error = error_of([&] { load(folder, "acme.stillborn"); });
  CHECK(error.code() == base::Code::plugin_failed);
  CHECK_THAT(error.message(), Contains("no licence found"));
}

TEST_CASE("a handler of a plugin may outlive the plugin object", "[loader]") {
  Handler kept;
  {
    Registered throws("acme.throws");
    throws.enter();
  }
  PluginFolder folder;
  Listener listener;
  BusModule module({"root", "testing"}, std::make_shared<bus::RunRegistry>(), listener);
  {
    plugin::LoadedPlugin loaded = load(folder, "acme.throws");
    loaded.plugin().register_signal_handlers(module);
  }
  CHECK_THAT(error_of([&] { module.emit(Signal::named("throw-own")); }).message(),
             Contains("of a private type"));
}
