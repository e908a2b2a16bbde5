#include "core/plugin/finder.h"

#include "tests/support/catch.h"
#include "tests/unit/plugin/plugin_fixture.h"

using namespace porter;
using namespace porter::tests;
using Catch::Matchers::Contains;

namespace {

struct Place {
  PluginFolder folder;
  base::World world;
  plugin::SearchSources sources;

  Place() {
    world.directory = folder.path();
    world.environment["HOME"] = (folder.path() / "home").string();
    sources.executable = folder.path() / "prefix/bin/porter-admin";
  }
  std::string file(const std::string& relative) { return folder.write(relative, "x").string(); }
  plugin::SearchPath path() { return plugin::search_path(world, sources); }
};

}  // namespace

TEST_CASE("folders are searched in the documented order", "[finder]") {
  Place place;
  place.sources.options = {"one", "/two"};
  place.world.environment["PORTER_PLUGIN_PATH"] = "/env1::/env2";
  place.sources.settings = {"/ini", "/two"};
  const plugin::SearchPath path = place.path();
  const std::string root = place.folder.path().string();
  const std::vector<std::string> expected = {root + "/one",
                                             "/two",
                                             "/env1",
                                             "/env2",
                                             "/ini",
                                             root + "/home/.local/lib/porter/plugins",
                                             root + "/prefix/lib/porter/plugins"};
  REQUIRE(path.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    CHECK(path[i].path == expected[i]);
  CHECK(path[2].origin == "PORTER_PLUGIN_PATH");
}

TEST_CASE("a plugin is found by its dotted name and as folders", "[finder]") {
  Place place;
  place.sources.options = {"a", "b"};
  const std::string flat = place.file("b/acme.flat.so");
  const std::string deep = place.file("b/my/private/plugin.so");
  CHECK(plugin::find_plugin("acme.flat", place.path()).file == flat);
  CHECK(plugin::find_plugin("my.private.plugin", place.path()).file == deep);
  const std::string earlier = place.file("a/my/private/plugin.so");
  CHECK(plugin::find_plugin("my.private.plugin", place.path()).file == earlier);
  const std::string dotted = place.file("a/my.private.plugin.so");
  CHECK(plugin::find_plugin("my.private.plugin", place.path()).file == dotted);
}

TEST_CASE("a plugin that is not there names every folder and the nearest name", "[finder]") {
  Place place;
  place.sources.options = {"a", "missing"};
  place.file("a/acme.audit.so");
  const base::Error error = error_of([&] { plugin::find_plugin("acme.audti", place.path()); });
  CHECK(error.code() == base::Code::missing);
  CHECK_THAT(error.message(), Contains((place.folder.path() / "a").string() + " (--plugin-path)") &&
                                  Contains("missing (--plugin-path; there is no such folder)") &&
                                  Contains("prefix/lib/porter/plugins (installed"));
  CHECK(error.hint_text() == "did you mean \"acme.audit\"?");
}

TEST_CASE("what is no dotted name is never looked up", "[finder]") {
  Place place;
  place.sources.options = {"a"};
  place.file("evil.so");
  base::make_folders(place.folder.path() / "a");
  for (const std::string name : {"../evil", "", ".", "a..b", "/etc/x", "a b"}) {
    CAPTURE(name);
    CHECK(error_of([&] { plugin::find_plugin(name, place.path()); }).code() == base::Code::bad_value);
  }
}

TEST_CASE("all plugins are listed in search order, the shadowed ones marked", "[finder]") {
  Place place;
  place.sources.options = {"a", "b"};
  place.file("a/acme.audit.so");
  place.file("a/notes.txt");
  place.file("b/acme/audit.so");
  place.file("b/acme/other.so");
  const auto all = plugin::list_plugins(place.path());
  REQUIRE(all.size() == 3);
  CHECK(all[0].name == "acme.audit");
  CHECK_FALSE(all[0].shadowed);
  CHECK(all[1].name == "acme.audit");
  CHECK(all[1].shadowed);
  CHECK(all[2].name == "acme.other");
}
