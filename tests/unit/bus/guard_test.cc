#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "core/base/files.h"
#include "tests/support/catch.h"
#include "tests/unit/bus/bus_fixture.h"

using namespace porter;
using namespace porter::tests;
using Catch::Matchers::Contains;

namespace {

void emit_as_plugin(Stage& stage, std::function<void(Module&)> handler) {
  {
    const bus::OwnerScope scope(plugin("acme.careless"));
    stage.module.push_signal_handler(SIG_DEPLOY_START, std::move(handler));
  }
  stage.module.emit(SIG_DEPLOY_START);
}

}  // namespace

TEST_CASE("a changed working folder is set back and its culprit named", "[bus][guard]") {
  const auto before = std::filesystem::current_path();
  Stage stage;
  emit_as_plugin(stage, [](Module&) { std::filesystem::current_path("/"); });
  CHECK(std::filesystem::current_path() == before);
  REQUIRE(stage.notebook.warnings.size() == 1);
  CHECK_THAT(
      stage.notebook.warnings[0],
      Contains("plugin acme.careless 1.0 changed the working folder to /") && Contains(before.string()));
}

TEST_CASE("a working folder that a handler removed is set back", "[bus][guard]") {
  const auto before = std::filesystem::current_path();
  Stage stage;
  emit_as_plugin(stage, [](Module&) {
    const base::TemporaryFolder gone;
    std::filesystem::current_path(gone.path());
  });
  CHECK(std::filesystem::current_path() == before);
  CHECK(stage.notebook.warnings.size() == 1);
}

TEST_CASE("a changed umask is set back", "[bus][guard]") {
  const mode_t before = ::umask(022);
  Stage stage;
  emit_as_plugin(stage, [](Module&) { ::umask(0); });
  CHECK(::umask(before) == 022);
  REQUIRE(stage.notebook.warnings.size() == 1);
  CHECK_THAT(stage.notebook.warnings[0], Contains("umask to 0000") && Contains("set back to 0022"));
}

TEST_CASE("changed signal dispositions are set back", "[bus][guard]") {
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  Stage stage;
  emit_as_plugin(stage, [](Module&) { std::signal(SIGPIPE, SIG_DFL); });
  CHECK(std::signal(SIGPIPE, before) == SIG_IGN);
  REQUIRE(stage.notebook.warnings.size() == 1);
  CHECK_THAT(stage.notebook.warnings[0], Contains("SIGPIPE"));
}

TEST_CASE("the process is set back when the handler throws, too", "[bus][guard]") {
  const auto before = std::filesystem::current_path();
  Stage stage;
  CHECK_THROWS_AS(emit_as_plugin(stage,
                                 [](Module&) {
                                   std::filesystem::current_path("/");
                                   throw std::runtime_error("x");
                                 }),
                  base::Error);
  CHECK(std::filesystem::current_path() == before);
  CHECK(stage.notebook.warnings.size() == 1);
}

TEST_CASE("a handler that leaves all as it was is not blamed, and is timed", "[bus][guard]") {
  Stage stage;
  emit_as_plugin(stage, [](Module&) {});
  CHECK(stage.notebook.warnings.empty());
  REQUIRE(stage.notebook.runs.size() == 1);
  CHECK(stage.notebook.runs[0].signal == "SIG_DEPLOY_START");
  CHECK(stage.notebook.runs[0].owner.name == "acme.careless");
  CHECK(stage.notebook.runs[0].seconds >= 0);
  CHECK(stage.notebook.runs[0].seconds < 10);
}

TEST_CASE("when several handlers ran at the time, each of them is named", "[bus][guard]") {
  Stage stage;
  {
    const bus::OwnerScope scope(plugin("acme.inner"));
    stage.module.push_signal_handler(Signal::named("inner"), [](Module&) {});
  }
  emit_as_plugin(stage, [](Module& module) {
    std::filesystem::current_path("/");
    module.emit(Signal::named("inner"));
  });
  REQUIRE(stage.notebook.warnings.size() == 1);
  CHECK_THAT(stage.notebook.warnings[0],
             Contains("plugin acme.inner 1.0 or plugin acme.careless 1.0 changed the working folder"));
}

TEST_CASE("foreign code is announced before it runs, and its end is told however it ends", "[bus][guard]") {
  Stage stage;
  stage.module.bus.push(SIG_DEPLOY_START,
                        [&](Module&, const Payload&) { stage.notebook.told.push_back("ours"); });
  CHECK_THROWS(emit_as_plugin(stage, [&](Module&) {
    stage.notebook.told.push_back("theirs");
    throw 42;
  }));
  CHECK(stage.notebook.told == std::vector<std::string>{"ours", "-porter-admin SIG_DEPLOY_START",
                                                        "+acme.careless SIG_DEPLOY_START root/testing",
                                                        "theirs", "-acme.careless SIG_DEPLOY_START"});
  CHECK(stage.notebook.runs.back().outcome == bus::Outcome::failed);
  CHECK(stage.notebook.runs.front().outcome == bus::Outcome::returned);
}

TEST_CASE("what is announced last ends first, and calls past any signal are announced as well",
          "[bus][guard]") {
  Stage stage;
  {
    const bus::OwnerScope scope(plugin("acme.inner"));
    stage.module.push_signal_handler(Signal::named("inner"), [](Module&) {});
  }
  stage.module.bus.call(plugin("acme.outer"), "register_signal_handlers",
                        [&] { stage.module.emit(Signal::named("inner")); });
  CHECK(stage.notebook.told == std::vector<std::string>{"+acme.outer register_signal_handlers root/testing",
                                                        "+acme.inner inner root/testing", "-acme.inner inner",
                                                        "-acme.outer register_signal_handlers"});
}

TEST_CASE("code that ends its thread ends the process while it is known who runs", "[bus][guard]") {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    std::thread([] {
      Stage stage;
      emit_as_plugin(stage, [](Module&) { ::pthread_exit(nullptr); });
    }).join();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGABRT);
}
