#include "core/plugin/doorway.h"

#include "tests/support/catch.h"
#include "tests/unit/plugin/plugin_fixture.h"

using namespace porter;
using namespace porter::tests;
using Catch::Matchers::Contains;

namespace {

base::Error refusal_of(const PluginFolder& folder, const std::string& name,
                       const plugin::Expectation& expectation = {.services = plugin::sdk_services()}) {
  const plugin::PluginNote note = plugin::read_note(folder.copy(name));
  return error_of([&] { plugin::check_note(note, expectation); });
}

}  // namespace

TEST_CASE("a plugin that fits is let in", "[doorway]") {
  const PluginFolder folder;
  const plugin::PluginNote note = plugin::read_note(folder.copy("acme.audit"));
  CHECK_NOTHROW(plugin::check_note(note, {.name = "acme.audit", .services = plugin::sdk_services()}));
}

TEST_CASE("another ABI is shown as a table with both values, and only what differs", "[doorway]") {
  const PluginFolder folder;
  const base::Error error = refusal_of(folder, "acme.old_abi");
  CHECK(error.code() == base::Code::plugin_refused);
  CHECK(error.message() ==
        "acme.old_abi was built for another porter-admin:\n"
        "  field       plugin        porter-admin\n"
        "  abi         999           " PORTER_STRINGIZE(PORTER_SDK_ABI));
  CHECK_THAT(error.hint_text(), Contains("rebuild it with this porter-admin's SDK"));
}

TEST_CASE("a plugin with the debug standard library is refused", "[doorway]") {
  const PluginFolder folder;
  CHECK_THAT(refusal_of(folder, "acme.debug_library").message(), Contains("  debug       1             0"));
}

TEST_CASE("a plugin that needs an unknown service is refused, with the nearest one", "[doorway]") {
  const PluginFolder folder;
  const base::Error error = refusal_of(folder, "acme.needy");
  CHECK_THAT(error.message(), Contains("porter.Target/9"));
  CHECK_THAT(error.hint_text(), Contains("porter.Target/1"));
}

TEST_CASE("a plugin that calls itself otherwise is refused with both names", "[doorway]") {
  const PluginFolder folder;
  const base::Error error =
      refusal_of(folder, "acme.audit", {.name = "acme.auditor", .services = plugin::sdk_services()});
  CHECK_THAT(error.message(), Contains("\"acme.audit\"") && Contains("\"acme.auditor\""));
}

TEST_CASE("a hook is no plugin, and a plugin no hook", "[doorway]") {
  const PluginFolder folder;
  CHECK_THAT(refusal_of(folder, "acme.audit", {.kind = "deployment"}).message(),
             Contains("it is a plugin, and was asked for as a deployment"));
  plugin::PluginNote hook = plugin::read_note(folder.copy("acme.audit"));
  hook.kind = "deployment";
  CHECK_THAT(error_of([&] { plugin::check_note(hook, {}); }).message(), Contains("a module's hook"));
}

TEST_CASE("two plugins may not declare one argument", "[doorway]") {
  const PluginFolder folder;
  const auto audit = plugin::read_note(folder.copy("acme.audit"));
  const auto clash = plugin::read_note(folder.copy("acme.clash"));
  CHECK_NOTHROW(plugin::check_arguments({audit, audit}));  // two modules may use one plugin
  const base::Error error = error_of([&] { plugin::check_arguments({audit, clash}); });
  CHECK_THAT(error.message(),
             Contains("acme.clash declares the argument --audit-note") && Contains(audit.path.string()));
  CHECK(error.where().file == clash.path.string());
}
