// The walk of a deploy that goes well: which signals and which steps come, on which hosts, in which order.

#include <fmt/format.h>

#include <atomic>

#include "tests/unit/engine/engine_fixture.h"

using namespace porter;
using namespace porter::engine;
using namespace porter::engine::test;

namespace {

constexpr std::size_t kNever = static_cast<std::size_t>(-1);

std::size_t first(const Names& steps, const std::string& text) {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].find(text) != std::string::npos) return i;
  }
  return kNever;
}

std::size_t last(const Names& steps, const std::string& text) {
  for (std::size_t i = steps.size(); i-- > 0;) {
    if (steps[i].find(text) != std::string::npos) return i;
  }
  return kNever;
}

Names staging_of(const std::string& module) {
  const std::string site = "/srv/" + module;
  return {"SIG_DEPLOY_START " + module, "SIG_SOURCE_PRE_SEND " + module,  "stage " + site,
          "SIG_SOURCE_SEND " + module,  "SIG_SOURCE_POST_SEND " + module, "seal " + site};
}

Names activation_of(const std::string& module) {
  return {"SIG_PRE_ACTIVATE " + module, "activate /srv/" + module, "SIG_ACTIVATE " + module,
          "SIG_POST_ACTIVATE " + module, "SIG_HEALTH_CHECK " + module};
}

Names commit_of(const std::string& module) {
  return {"commit /srv/" + module, "SIG_DEPLOY_FINISH " + module};
}

void append(Names& to, const Names& more) {
  to.insert(to.end(), more.begin(), more.end());
}

const Names kAllDeployed = {"lib on one: deployed", "lib on two: deployed", "root on one: deployed",
                            "root on two: deployed"};

}  // namespace

TEST_CASE("every host hears the signals of its modules in order, dependencies first") {
  EngineFixture fixture;
  fixture.plug_listener();
  CHECK(fixture.deploy() == ExitCode::ok);
  Names expected = {"look /srv/lib",  "look /srv/root", "lock /srv/lib",
                    "lock /srv/root", "look /srv/lib",  "look /srv/root"};
  for (const char* module : {"lib", "root"})
    append(expected, staging_of(module));
  for (const char* module : {"lib", "root"})
    append(expected, activation_of(module));
  for (const char* module : {"lib", "root"})
    append(expected, commit_of(module));
  CHECK(fixture.hosts.steps_of("one") == expected);
  CHECK(fixture.hosts.steps_of("two") == expected);
  CHECK(fixture.outcomes() == kAllDeployed);
  CHECK_FALSE(fixture.has_folder());
}

TEST_CASE("nothing is activated anywhere before everything is sealed everywhere") {
  EngineFixture fixture;
  CHECK(fixture.deploy() == ExitCode::ok);
  const Names steps = fixture.hosts.steps();
  CHECK(last(steps, " seal ") < first(steps, " activate "));
  CHECK(last(steps, " activate ") < first(steps, " commit "));
  // A module is live on all hosts before the one that depends on it is.
  CHECK(last(steps, " activate /srv/lib") < first(steps, " activate /srv/root"));
}

TEST_CASE("all hosts get the same release") {
  EngineFixture fixture;
  CHECK(fixture.deploy() == ExitCode::ok);
  const std::string release = fixture.live("one", "/srv/root");
  CHECK(release.starts_with("20261121T070000Z-"));
  CHECK(release.ends_with("-0001"));
  CHECK(fixture.live("two", "/srv/root") == release);
  CHECK(fixture.live("one", "/srv/lib") != release);
}

TEST_CASE("a second deploy of the same things only looks") {
  EngineFixture fixture;
  CHECK(fixture.deploy() == ExitCode::ok);
  const std::string before = fixture.live("one", "/srv/root");
  fixture.hosts.forget_steps();
  fixture.plug_listener();
  CHECK(fixture.deploy() == ExitCode::ok);
  CHECK(fixture.hosts.steps_of("one") == Names{"look /srv/lib", "look /srv/root"});
  CHECK(fixture.hosts.steps_of("two") == Names{"look /srv/lib", "look /srv/root"});
  CHECK(fixture.events.of<event::SignalFired>().empty());
  CHECK(fixture.outcomes() == Names{"lib on one: unchanged", "lib on two: unchanged",
                                    "root on one: unchanged", "root on two: unchanged"});
  CHECK(fixture.live("one", "/srv/root") == before);
  CHECK_FALSE(fixture.has_folder());
}

TEST_CASE("only the module that changed is deployed, and only where it is not there yet") {
  EngineFixture fixture;
  CHECK(fixture.deploy() == ExitCode::ok);
  fixture.hosts.forget_steps();
  SECTION("a change goes to all hosts") {
    fixture.write("root/src/page.html", "good bye\n");
    CHECK(fixture.deploy() == ExitCode::ok);
    CHECK(fixture.outcomes() == Names{"lib on one: unchanged", "lib on two: unchanged",
                                      "root on one: deployed", "root on two: deployed"});
    CHECK(fixture.hosts.count("stage /srv/lib") == 0);
    CHECK(fixture.hosts.count("stage /srv/root") == 2);
  }
  SECTION("a host that drifted is put right alone") {
    fixture.hosts.change("two", "/srv/lib", [](tests::FakeHosts::Site& site) { site.drift = 1; });
    CHECK(fixture.deploy() == ExitCode::ok);
    CHECK(fixture.outcomes() == Names{"lib on one: unchanged", "lib on two: deployed",
                                      "root on one: unchanged", "root on two: unchanged"});
  }
  SECTION("what dead runs left on an unchanged host goes by its lock, and nothing is deployed") {
    fixture.hosts.change("two", "/srv/lib", [](tests::FakeHosts::Site& site) { site.leftovers = 1; });
    CHECK(fixture.deploy() == ExitCode::ok);
    CHECK(fixture.outcomes() == Names{"lib on one: unchanged", "lib on two: unchanged",
                                      "root on one: unchanged", "root on two: unchanged"});
    CHECK(fixture.hosts.count("two unlock /srv/lib") == 1);
    CHECK(fixture.hosts.count("stage /srv/lib") == 0);
  }
  SECTION("a tree that a dead run left half switched is judged when it is put right") {
    fixture.hosts.change("two", "/srv/lib", [](tests::FakeHosts::Site& site) {
      site.leftovers = 1;
      site.drift = 1;
    });
    fixture.hosts.when("two unlock /srv/lib", [&] {
      fixture.hosts.change("two", "/srv/lib", [](tests::FakeHosts::Site& site) {
        site.leftovers = 0;
        site.drift = 0;
      });
    });
    CHECK(fixture.deploy() == ExitCode::ok);
    CHECK(fixture.outcomes() == Names{"lib on one: unchanged", "lib on two: unchanged",
                                      "root on one: unchanged", "root on two: unchanged"});
  }
  SECTION("an activation that a dead run left uncommitted is no unchanged one") {
    fixture.hosts.change("one", "/srv/lib",
                         [](tests::FakeHosts::Site& site) { site.pending = site.current; });
    CHECK(fixture.deploy() == ExitCode::ok);
    CHECK(fixture.outcomes() == Names{"lib on one: deployed", "lib on two: unchanged",
                                      "root on one: unchanged", "root on two: unchanged"});
  }
}

TEST_CASE("what is forced is deployed, though nothing changed") {
  EngineFixture fixture;
  CHECK(fixture.deploy() == ExitCode::ok);
  SECTION("one module by name") {
    fixture.request.force = {"lib"};
    CHECK(fixture.deploy() == ExitCode::ok);
    CHECK(fixture.outcomes() == Names{"lib on one: deployed", "lib on two: deployed",
                                      "root on one: unchanged", "root on two: unchanged"});
  }
  SECTION("all") {
    fixture.request.force_all = true;
    CHECK(fixture.deploy() == ExitCode::ok);
    CHECK(fixture.outcomes() == kAllDeployed);
  }
  SECTION("by an argument of a plugin, which asks for something to be done") {
    fixture.request.plugin_arguments = {{"poke", ""}};
    CHECK(fixture.deploy() == ExitCode::ok);
    CHECK(fixture.outcomes() == kAllDeployed);
  }
}

TEST_CASE("a dry run compares, and does nothing else to any host") {
  EngineFixture fixture;
  fixture.plug_listener();
  fixture.request.dry_run = true;
  CHECK(fixture.deploy() == ExitCode::ok);
  const Names expected = {"look /srv/lib", "look /srv/root", "compare /srv/lib", "compare /srv/root"};
  CHECK(fixture.hosts.steps_of("one") == expected);
  CHECK(fixture.hosts.steps_of("two") == expected);
  CHECK_FALSE(fixture.has_folder());
  const auto plans = fixture.events.of<event::Planned>();
  REQUIRE(plans.size() == 4);
  for (const auto& plan : plans) {
    CHECK_FALSE(plan.unchanged);
    CHECK(plan.files_new == 1);
    CHECK(plan.paths.size() == 1);
  }
}

TEST_CASE("in place the tree is complete, and handlers fill it, only after the activation") {
  EngineFixture fixture;
  fixture.write("lib/lib.ini", "[module]\npath = /srv/lib\nlayout = inplace\n[plugin:tests.handlers]\n");
  fixture.plug_listener();
  fixture.request.modules = {"lib"};
  fixture.request.hosts = {"one"};
  CHECK(fixture.deploy() == ExitCode::ok);
  CHECK(fixture.hosts.steps_of("one") ==
        Names{"look /srv/lib", "lock /srv/lib", "look /srv/lib", "SIG_DEPLOY_START lib",
              "SIG_SOURCE_PRE_SEND lib", "stage /srv/lib", "SIG_SOURCE_SEND lib", "seal /srv/lib",
              "SIG_PRE_ACTIVATE lib", "activate /srv/lib", "SIG_ACTIVATE lib", "SIG_SOURCE_POST_SEND lib",
              "reseal /srv/lib", "SIG_POST_ACTIVATE lib", "SIG_HEALTH_CHECK lib", "commit /srv/lib",
              "SIG_DEPLOY_FINISH lib"});
}

TEST_CASE("a replaced SIG_SOURCE_SEND sends in the place of porter-admin") {
  EngineFixture fixture;
  fixture.request.modules = {"lib"};
  SECTION("nothing: an empty release is staged all the same") {
    fixture.plug([](Module& module) { module.replace_signal_handler(SIG_SOURCE_SEND, [](Module&) {}); });
  }
  SECTION("by writing into destpath()") {
    fixture.plug([](Module& module) {
      module.replace_signal_handler(
          SIG_SOURCE_SEND, [](Module& here) { here.service<Target>().write("made.txt", "made", 0644); });
    });
  }
  CHECK(fixture.deploy() == ExitCode::ok);
  CHECK(fixture.hosts.count("stage /srv/lib") == 2);
  CHECK(fixture.hosts.count("seal /srv/lib") == 2);
  const Names steps = fixture.hosts.steps_of("one");
  if (first(steps, "write ") != kNever) {
    CHECK(first(steps, "stage ") < first(steps, "write "));
    CHECK(steps[first(steps, "write ")] ==
          fmt::format("write /srv/lib/releases/{}/made.txt", fixture.live("one", "/srv/lib")));
  }
  for (const auto& end : fixture.events.of<event::ModuleFinished>())
    CHECK(end.files_whole == 0);
}

TEST_CASE("the folder of a program that undoes is relative to destpath(), as that of any program") {
  EngineFixture fixture;
  fixture.request.modules = {"lib"};
  const auto [given, begins] = GENERATE(table<std::string, std::string>(
      {{"bin", "/srv/lib/releases/ID/bin"}, {"/opt/app", "/opt/app"}, {"", ""}}));
  fixture.plug([folder = given](Module& module) {
    if (module.service<Context>().host().empty()) return;
    module.push_signal_handler(SIG_PRE_ACTIVATE, [folder](Module& here) {
      here.service<Undo>().on_undo({"./stop"}, folder, Privilege::user, "");
    });
  });
  CHECK(fixture.deploy() == ExitCode::ok);
  std::string expected = begins;
  if (const std::size_t at = expected.find("ID"); at != std::string::npos)
    expected.replace(at, 2, fixture.live("one", "/srv/lib"));
  CHECK(fixture.hosts.site("one", "/srv/lib").undo_folders == Names{expected});
}

TEST_CASE("who replaces SIG_DEPLOY and does not run the default has done everything itself") {
  EngineFixture fixture;
  int called = 0;
  fixture.plug([&](Module& module) {
    if (module.service<Context>().module() != "lib" || !module.service<Context>().host().empty()) return;
    module.replace_signal_handler(SIG_DEPLOY, [&](Module&) { ++called; });
  });
  CHECK(fixture.deploy() == ExitCode::ok);
  CHECK(called == 1);
  CHECK(fixture.hosts.count("stage /srv/lib") == 0);
  CHECK(fixture.hosts.count("activate /srv/lib") == 0);
  CHECK(fixture.hosts.count("commit /srv/root") == 2);
  CHECK(fixture.outcomes() == kAllDeployed);
  for (const auto& end : fixture.events.of<event::ModuleFinished>())
    CHECK(end.seconds < 3600);  // not the time since the machine started
}

TEST_CASE("who replaces SIG_DEPLOY and runs the default has its module live before the barrier") {
  EngineFixture fixture;
  fixture.plug([](Module& module) {
    if (module.service<Context>().module() != "lib" || !module.service<Context>().host().empty()) return;
    module.replace_signal_handler(SIG_DEPLOY, [](Module& here) { here.service<Sender>().run_default(); });
  });
  CHECK(fixture.deploy() == ExitCode::ok);
  const Names steps = fixture.hosts.steps();
  CHECK(last(steps, " commit /srv/lib") < first(steps, " stage /srv/root"));
  CHECK(fixture.hosts.count("commit /srv/lib") == 2);
  CHECK(fixture.outcomes() == kAllDeployed);
  CHECK_FALSE(fixture.has_folder());
}

TEST_CASE("who replaces SIG_DEPLOY may handle the signals of its own procedure, on many hosts at once") {
  EngineFixture fixture;
  std::atomic<int> stages = 0;
  fixture.plug([&](Module& module) {
    if (module.service<Context>().module() != "lib") return;
    module.push_signal_handler(SIG_DEPLOY_START, [&](Module&) { ++stages; });
    if (module.service<Context>().host().empty())
      module.replace_signal_handler(SIG_DEPLOY, [](Module& here) { here.service<Sender>().run_default(); });
  });
  CHECK(fixture.deploy() == ExitCode::ok);
  CHECK(stages == 2);
}

TEST_CASE("a handler that asks for it runs on one host of a run, the others on every one") {
  EngineFixture fixture;
  fixture.request.modules = {"lib"};
  std::atomic<int> once = 0;
  std::atomic<int> every = 0;
  fixture.plug([&](Module& module) {
    HandlerOptions options;
    options.repeat = Repeat::once;
    module.push_signal_handler(
        SIG_POST_ACTIVATE, [&](Module&, const Payload&) { ++once; }, options);
    module.push_signal_handler(SIG_POST_ACTIVATE, [&](Module&) { ++every; });
  });
  CHECK(fixture.deploy() == ExitCode::ok);
  CHECK(once == 1);
  CHECK(every == 2);
}
