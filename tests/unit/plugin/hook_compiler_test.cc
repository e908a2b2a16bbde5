#include "core/plugin/hook_compiler.h"

#include <sys/stat.h>

#include <future>

#include "core/plugin/compiler_words.h"
#include "core/plugin/hook_cache.h"
#include "core/plugin/loader.h"
#include "tests/support/catch.h"
#include "tests/unit/plugin/plugin_fixture.h"

using namespace porter;
using namespace porter::tests;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

const std::string kHook = R"(#include <porter/porter.h>
#include "greeting.h"
PORTER_DEPLOYMENT { module.push_signal_handler(porter::SIG_DEPLOY_START, [](porter::Module&) { greet(); }); }
)";

struct Workshop {
  PluginFolder folder;
  plugin::HookSettings settings;
  int compilations = 0;

  Workshop() {
    base::World world = base::process_world();
    world.environment["XDG_CACHE_HOME"] = (folder.path() / "cache").string();
    world.environment.erase("CXX");
    settings = plugin::hook_settings(world, plugin::running_executable());
    settings.compiling = [this](const fs::path&) { ++compilations; };
    folder.write("root/greeting.h", "#pragma once\ninline void greet() {}\n");
  }
  void source(const std::string& text) { folder.write("root/deployment.cpp", text); }
  std::optional<plugin::Hook> hook() {
    const auto deadline = base::Deadline::in(std::chrono::seconds(60));
    return plugin::module_hook(folder.path() / "root", settings, deadline, {});
  }
};

}  // namespace

TEST_CASE("a module without a hook has none", "[hook]") {
  Workshop workshop;
  CHECK_FALSE(workshop.hook());
}

TEST_CASE("deployment.cpp is compiled once and again only when something that it is made from changed",
          "[hook]") {
  Workshop workshop;
  workshop.source(kHook);
  const auto first = workshop.hook();
  REQUIRE(first);
  CHECK(first->origin == plugin::HookOrigin::compiled);
  CHECK_NOTHROW(plugin::LoadedPlugin::load(first->library, {.kind = "deployment"}, {}));
  const auto again = workshop.hook();
  CHECK(again->origin == plugin::HookOrigin::cached);
  CHECK(again->library == first->library);

  workshop.folder.write("root/greeting.h", "#pragma once\ninline void greet() { (void)0; }\n");
  const auto included = workshop.hook();
  CHECK(included->origin == plugin::HookOrigin::compiled);
  CHECK(included->library != first->library);

  workshop.source(kHook + "// a word more\n");
  CHECK(workshop.hook()->origin == plugin::HookOrigin::compiled);
  CHECK(workshop.compilations == 3);

  struct stat cache = {};
  REQUIRE(::stat(workshop.settings.cache.c_str(), &cache) == 0);
  CHECK((cache.st_mode & 0777U) == 0700);
}

TEST_CASE("another compiler compiles anew, and clang++ will do", "[hook]") {
  Workshop workshop;
  workshop.source(kHook);
  workshop.settings.compiler = "g++";
  CHECK(workshop.hook()->origin == plugin::HookOrigin::compiled);
  workshop.settings.compiler = "g++ -DNAME=1";
  CHECK(workshop.hook()->origin == plugin::HookOrigin::compiled);
  if (PORTER_FP_SANITIZER != std::string("none") || !fs::exists("/usr/bin/clang++")) {
    WARN("SKIPPED: clang++ is not tried here");
    return;
  }
  workshop.settings.compiler = "clang++";
  const auto hook = workshop.hook();
  CHECK(hook->origin == plugin::HookOrigin::compiled);
  CHECK_NOTHROW(plugin::LoadedPlugin::load(hook->library, {.kind = "deployment"}, {}));
}

TEST_CASE("a hook that does not compile is an error at its own line", "[hook]") {
  Workshop workshop;
  workshop.source("#include <porter/porter.h>\nPORTER_DEPLOYMENT {\n  module.push_handler();\n}\n");
  const base::Error error = error_of([&] { workshop.hook(); });
  CHECK(error.code() == base::Code::plugin_refused);
  CHECK(fs::path(error.where().file).filename() == "deployment.cpp");
  CHECK(error.where().line == 3);
  CHECK_THAT(error.message(), Contains("the hook does not compile") && Contains("push_handler"));
  workshop.source(kHook);
  CHECK(workshop.hook()->origin == plugin::HookOrigin::compiled);
}

TEST_CASE("a hook that calls what exists nowhere is refused when it is made", "[hook]") {
  if (PORTER_FP_SANITIZER != std::string("none")) {
    WARN("SKIPPED: sanitizers leave symbols undefined");
    return;
  }
  Workshop workshop;
  workshop.source("#include <porter/porter.h>\nvoid nowhere();\nPORTER_DEPLOYMENT { nowhere(); }\n");
  const base::Error error = error_of([&] { workshop.hook(); });
  CHECK(error.code() == base::Code::plugin_refused);
  CHECK_THAT(error.message(), Contains("undefined reference to `nowhere()'"));
}

TEST_CASE("folders of PATH that are closed or not there are passed over", "[hook]") {
  Workshop workshop;
  workshop.source(kHook);
  const fs::path closed = workshop.folder.path() / "closed";
  fs::create_directory(closed);
  fs::permissions(closed, fs::perms(0));
  workshop.settings.search_path = closed.string() + ":/no/such/folder::" + workshop.settings.search_path;
  CHECK(workshop.hook()->origin == plugin::HookOrigin::compiled);
}

TEST_CASE("a machine without a compiler is told of the ready-made library", "[hook]") {
  Workshop workshop;
  workshop.source(kHook);
  workshop.settings.search_path = (workshop.folder.path() / "empty").string();
  const base::Error error = error_of([&] { workshop.hook(); });
  CHECK(error.code() == base::Code::missing);
  CHECK_THAT(error.message(), Contains("no C++ compiler"));
  CHECK_THAT(error.hint_text(), Contains("deployment.so"));
  workshop.settings.compiler = "no-such-compiler";
  CHECK_THAT(error_of([&] { workshop.hook(); }).message(), Contains("CXX names \"no-such-compiler\""));
}

TEST_CASE("a ready-made deployment.so is taken as it is, unless there is a source", "[hook]") {
  Workshop workshop;
  const fs::path ready = workshop.folder.write("root/deployment.so", "any bytes");
  REQUIRE(workshop.hook());
  CHECK(workshop.hook()->origin == plugin::HookOrigin::ready_made);
  CHECK(workshop.hook()->library == ready);
  workshop.source(kHook);
  CHECK(workshop.hook()->origin == plugin::HookOrigin::compiled);
}

TEST_CASE("a file from the future is compiled and cached like any other", "[hook]") {
  Workshop workshop;
  workshop.source(kHook);
  const auto tomorrow = fs::file_time_type::clock::now() + std::chrono::hours(24);
  fs::last_write_time(workshop.folder.path() / "root/greeting.h", tomorrow);
  CHECK(workshop.hook()->origin == plugin::HookOrigin::compiled);
  CHECK(workshop.hook()->origin == plugin::HookOrigin::cached);
}

TEST_CASE("two runs at once compile a hook once", "[hook]") {
  Workshop workshop;
  workshop.source(kHook);
  auto second = std::async(std::launch::async, [&] { return workshop.hook(); });
  const auto mine = workshop.hook();
  const auto other = second.get();
  REQUIRE(other);
  CHECK(other->library == mine->library);
  CHECK(workshop.compilations == 1);
}

TEST_CASE("somebody else may not write a hook's source", "[hook]") {
  Workshop workshop;
  workshop.source(kHook);
  fs::permissions(workshop.folder.path() / "root/deployment.cpp", fs::perms(0666));
  CHECK_THAT(error_of([&] { workshop.hook(); }).message(), Contains("world-writable"));
  CHECK(workshop.compilations == 0);
}

TEST_CASE("a cancelled run stops compiling", "[hook]") {
  Workshop workshop;
  workshop.source(kHook);
  const base::CancelToken cancel;
  cancel.cancel();
  CHECK_THROWS_AS(plugin::module_hook(workshop.folder.path() / "root", workshop.settings,
                                      base::Deadline::never(), cancel),
                  base::Interrupted);
}

TEST_CASE("make rules are read with their quoting", "[hook]") {
  const auto files =
      plugin::parse_dependencies("hook: /a/b.cpp \\\n  /a/with\\ blank.h /a/cost$$.h \\\n /a/x\\#y.h\n");
  REQUIRE(files.size() == 4);
  CHECK(files[1] == "/a/with blank.h");
  CHECK(files[2] == "/a/cost$.h");
  CHECK(files[3] == "/a/x#y.h");
  CHECK(plugin::parse_dependencies("").empty());
}

TEST_CASE("a compiler's words are read for the first placed error", "[hook]") {
  const base::Error error = plugin::compile_error(
      "/m/deployment.cpp", "In file included from x\n/m/a:b.h:12:7: fatal error: no.h: No such file\n",
      "exit status 1");
  CHECK(error.where().file == "/m/a:b.h");
  CHECK(error.where().line == 12);
  CHECK_THAT(error.message(), Contains("the hook does not compile: no.h: No such file"));
  CHECK(plugin::compile_error("/m/deployment.cpp", "", "killed by signal 9").message() ==
        "the hook does not compile: killed by signal 9");
}
