// The walk of a deploy that goes wrong: what is put back, what is told, what stays in the journal.

#include <algorithm>
#include <set>

#include "tests/unit/engine/engine_fixture.h"

using namespace porter;
using namespace porter::engine;
using namespace porter::engine::test;

namespace {

const Error kBroken(Code::io, "the disk is broken");

// Deploys once, so that something is live, and changes both modules.
struct Second : EngineFixture {
  Second() {
    REQUIRE(deploy() == ExitCode::ok);
    old_lib = live("one", "/srv/lib");
    old_root = live("one", "/srv/root");
    write("root/src/page.html", "good bye\n");
    write("lib/src/lib.py", "raise\n");
    hosts.forget_steps();
  }
  bool is_old_everywhere() {
    return live("one", "/srv/lib") == old_lib && live("two", "/srv/lib") == old_lib &&
           live("one", "/srv/root") == old_root && live("two", "/srv/root") == old_root;
  }
  // No stage and no sealed release of the failed run is left.
  bool is_clean(const std::string& host, const std::string& path) {
    const tests::FakeHosts::Site site = hosts.site(host, path);
    return site.staged.empty() && site.sealed.size() == 1 && site.pending.empty();
  }

  std::string old_lib;
  std::string old_root;
};

Names failures(const EngineFixture& fixture) {
  Names found;
  for (const auto& failure : fixture.events.of<event::Failure>())
    found.push_back(failure.module + " on " + failure.host);
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

TEST_CASE("a stage that fails on one host means that nothing is activated anywhere") {
  Second run;
  const std::string step = GENERATE(as<std::string>(), "two stage /srv/root", "two seal /srv/root");
  run.hosts.fail(step, kBroken);
  CHECK(run.deploy() == ExitCode::nothing_activated);
  CHECK(run.hosts.count(" activate ") == 0);
  CHECK(run.hosts.count(" discard ") == 4);
  CHECK(run.is_old_everywhere());
  for (const char* host : {"one", "two"}) {
    CHECK(run.is_clean(host, "/srv/lib"));
    CHECK(run.is_clean(host, "/srv/root"));
  }
  CHECK(failures(run) == Names{"root on two"});
  CHECK(run.outcomes() == Names{"lib on one: not activated", "lib on two: not activated",
                                "root on one: not activated", "root on two: failed"});
  CHECK(run.unsettled().empty());
  CHECK(run.has_folder());  // it can be resumed
}

TEST_CASE("a stage that fails in the first module leaves the second one alone") {
  Second run;
  run.hosts.fail("one stage /srv/lib", kBroken);
  CHECK(run.deploy() == ExitCode::nothing_activated);
  CHECK(run.hosts.count("stage /srv/root") == 0);
  CHECK(run.hosts.count("discard /srv/root") == 0);
  CHECK(run.is_old_everywhere());
  for (const auto& end : run.events.of<event::ModuleFinished>())
    CHECK(end.seconds < 3600);
}

TEST_CASE("a handler that throws before the barrier stops the deploy and is named") {
  Second run;
  run.plug([](Module& module) {
    if (module.service<Context>().host() != "two") return;
    module.push_signal_handler(SIG_SOURCE_POST_SEND, [](Module&) { throw std::runtime_error("no python"); });
  });
  CHECK(run.deploy() == ExitCode::nothing_activated);
  CHECK(run.is_old_everywhere());
  const auto told = run.events.of<event::Failure>();
  REQUIRE(told.size() == 1);
  CHECK(told[0].text.find("no python") != std::string::npos);
  CHECK(told[0].text.find("tests.handlers") != std::string::npos);
  CHECK(told[0].text.find("SIG_SOURCE_POST_SEND") != std::string::npos);
  CHECK(told[0].code == static_cast<int>(Code::plugin_failed));
}

TEST_CASE("an activation that fails on one host is taken back on all") {
  Second run;
  SECTION("the switch itself") {
    run.hosts.fail("two activate /srv/lib", kBroken);
  }
  SECTION("a health check") {
    run.plug([](Module& module) {
      const Context& here = module.service<Context>();
      if (here.host() != "two" || here.module() != "lib") return;
      module.push_signal_handler(SIG_HEALTH_CHECK, [](Module&) { throw std::runtime_error("sick"); });
    });
  }
  CHECK(run.deploy() == ExitCode::rolled_back);
  CHECK(run.is_old_everywhere());
  CHECK(run.hosts.count("revert /srv/lib") == 2);
  CHECK(run.hosts.count("discard /srv/root") == 2);
  CHECK(run.hosts.count("activate /srv/root") == 0);
  CHECK(run.hosts.count(" commit ") == 0);
  CHECK(run.outcomes() == Names{"lib on one: rolled back", "lib on two: failed", "root on one: not activated",
                                "root on two: not activated"});
  CHECK(run.unsettled().empty());
  CHECK(run.has_folder());  // it can be resumed
}

TEST_CASE("what was activated last is taken back first") {
  Second run;
  run.hosts.fail("two activate /srv/root", kBroken);
  CHECK(run.deploy() == ExitCode::rolled_back);
  const Names steps = run.hosts.steps_of("one");
  const auto root = std::find(steps.begin(), steps.end(), "revert /srv/root");
  const auto lib = std::find(steps.begin(), steps.end(), "revert /srv/lib");
  REQUIRE(root != steps.end());
  REQUIRE(lib != steps.end());
  CHECK(root < lib);
  CHECK(run.is_old_everywhere());
}

TEST_CASE("handlers hear of a failure before the undo, and may fail themselves without stopping it") {
  Second run;
  std::mutex mutex;
  Names heard;
  run.plug([&](Module& module) {
    const std::string host = module.service<Context>().host();
    if (host.empty()) return;
    module.push_signal_handler(SIG_DEPLOY_FAILED, [&, host](Module& here, const Payload& payload) {
      const std::lock_guard lock(mutex);
      heard.push_back(host + " " + here.service<Context>().module() + " " + payload.at("phase"));
      throw std::runtime_error("cannot help");
    });
  });
  run.hosts.fail("two activate /srv/lib", kBroken);
  CHECK(run.deploy() == ExitCode::rolled_back);
  std::sort(heard.begin(), heard.end());
  CHECK(heard == Names{"one lib activate", "one root stage", "two lib activate", "two root stage"});
  CHECK(run.is_old_everywhere());
}

TEST_CASE("a handler that fails after the way back is heard, and the release is back all the same") {
  Second run;
  run.plug([](Module& module) {
    if (module.service<Context>().host().empty()) return;
    module.push_signal_handler(SIG_ROLLBACK, [](Module&) { throw std::runtime_error("no restart"); });
  });
  run.hosts.fail("two activate /srv/lib", kBroken);
  CHECK(run.deploy() == ExitCode::rolled_back);
  CHECK(run.is_old_everywhere());
  CHECK(run.unsettled().empty());
  std::size_t heard = 0;
  for (const auto& talk : run.events.of<event::Talk>())
    heard += talk.text.find("no restart") != std::string::npos ? 1 : 0;
  CHECK(heard == 2);
}

TEST_CASE("after a first deploy that failed nothing is live, and SIG_ROLLBACK says so") {
  EngineFixture run;
  std::mutex mutex;
  std::set<std::string> to;
  run.plug([&](Module& module) {
    module.push_signal_handler(SIG_ROLLBACK, [&](Module&, const Payload& payload) {
      const std::lock_guard lock(mutex);
      to.insert(payload.at("to"));
    });
  });
  run.hosts.fail("two activate /srv/lib", kBroken);
  CHECK(run.deploy() == ExitCode::rolled_back);
  CHECK(to == std::set<std::string>{""});
  CHECK(run.live("one", "/srv/lib").empty());
}

TEST_CASE("a connection that broke in the activation is made anew for the undo") {
  Second run;
  run.hosts.fail("two activate /srv/lib", kBroken);
  run.hosts.fail("two revert /srv/lib", Error(Code::unreachable, "the connection is gone"));
  CHECK(run.deploy() == ExitCode::rolled_back);
  CHECK(run.hosts.count("two lock /srv/lib") == 2);
  CHECK(run.is_old_everywhere());
}

TEST_CASE(
    "an undo that is refused is not tried over a second connection, which the first one's lock would stop") {
  Second run;
  run.hosts.fail("two activate /srv/lib", kBroken);
  run.hosts.fail("two revert /srv/lib", Error(Code::refused, "the older release is gone"));
  CHECK(run.deploy() == ExitCode::rollback_failed);
  CHECK(run.hosts.count("two lock /srv/lib") == 1);
  bool told = false;
  for (const auto& failure : run.events.of<event::Failure>())
    told = told || failure.text.find("the older release is gone") != std::string::npos;
  CHECK(told);
}

TEST_CASE("an undo that fails is told as such, and its journal is kept for the next run") {
  Second run;
  run.plug([](Module& module) {
    const Context& here = module.service<Context>();
    if (here.host() != "two" || here.module() != "lib") return;
    module.push_signal_handler(SIG_HEALTH_CHECK, [](Module&) { throw std::runtime_error("sick"); });
  });
  run.hosts.fail("one revert /srv/lib", kBroken, 99);
  CHECK(run.deploy() == ExitCode::rollback_failed);
  CHECK(run.outcomes() == Names{"lib on one: rollback failed", "lib on two: failed",
                                "root on one: not activated", "root on two: not activated"});
  CHECK(run.live("two", "/srv/lib") == run.old_lib);
  CHECK(run.live("one", "/srv/lib") != run.old_lib);
  const auto open = run.unsettled();
  REQUIRE(open.size() == 1);
  CHECK(open[0].step == Step::activating);
  CHECK(open[0].host == "one");
  CHECK(open[0].module == "lib");
  CHECK(open[0].release_id == run.live("one", "/srv/lib"));
}

TEST_CASE("that all is to be committed is on disk before the first commit") {
  Second run;
  std::vector<JournalEntry> open;
  const auto read = [&] {
    if (open.empty()) open = run.unsettled();
  };
  std::mutex mutex;
  for (const char* host : {"one", "two"}) {
    run.hosts.when(std::string(host) + " commit /srv/lib", [&] {
      const std::lock_guard lock(mutex);
      read();
    });
  }
  CHECK(run.deploy() == ExitCode::ok);
  REQUIRE(open.size() == 4);
  for (const JournalEntry& entry : open)
    CHECK(entry.step == Step::committing);
}

TEST_CASE("foreign handlers are told when they start, those of the program are not") {
  Second run;
  run.plug([](Module& module) {
    if (module.service<Context>().host() != "two") return;
    module.push_signal_handler(SIG_HEALTH_CHECK, [](Module&) { throw std::runtime_error("sick"); });
  });
  CHECK(run.deploy() == ExitCode::rolled_back);
  std::size_t registered = 0;
  std::size_t checked = 0;
  for (const auto& started : run.events.of<event::SignalStarted>()) {
    CHECK(started.who == "plugin tests.handlers 1.0");
    registered += started.signal == "register_signal_handlers" ? 1 : 0;
    checked += started.signal == "SIG_HEALTH_CHECK" ? 1 : 0;
  }
  CHECK(registered == 6);  // a module: in module scope, and on two hosts
  CHECK(checked == 1);
  for (const auto& fired : run.events.of<event::SignalFired>())
    CHECK(fired.failed == (fired.signal == "SIG_HEALTH_CHECK"));
}

TEST_CASE("a commit that fails leaves the release live, says so, and keeps the journal") {
  Second run;
  run.hosts.fail("two commit /srv/lib", kBroken);
  CHECK(run.deploy() == ExitCode::some_hosts_failed);
  CHECK(run.live("two", "/srv/lib") != run.old_lib);
  CHECK(run.live("two", "/srv/lib") == run.live("one", "/srv/lib"));
  CHECK(run.outcomes() == Names{"lib on one: deployed", "lib on two: failed", "root on one: deployed",
                                "root on two: deployed"});
  CHECK(failures(run) == Names{"lib on two"});
  const auto open = run.unsettled();
  REQUIRE(open.size() == 1);
  CHECK(open[0].step == Step::committing);
  CHECK(open[0].host == "two");
}

TEST_CASE("a handler that fails when all is committed fails the run and takes nothing back") {
  Second run;
  run.plug([](Module& module) {
    const Context& here = module.service<Context>();
    if (here.host() != "two" || here.module() != "lib") return;
    module.push_signal_handler(SIG_DEPLOY_FINISH, [](Module&) { throw std::runtime_error("no mail"); });
  });
  CHECK(run.deploy() == ExitCode::some_hosts_failed);
  CHECK(run.hosts.count(" revert ") == 0);
  CHECK(run.hosts.count(" commit ") == 4);
  CHECK(run.live("two", "/srv/lib") != run.old_lib);
  CHECK(run.outcomes() == Names{"lib on one: deployed", "lib on two: failed", "root on one: deployed",
                                "root on two: deployed"});
  CHECK_FALSE(run.has_folder());
}

TEST_CASE("an observer that fails is reported and fails nothing") {
  Second run;
  run.plug([](Module& module) {
    HandlerOptions options;
    options.criticality = Criticality::observer;
    module.push_signal_handler(
        SIG_SOURCE_POST_SEND, [](Module&, const Payload&) { throw std::runtime_error("blind"); }, options);
  });
  CHECK(run.deploy() == ExitCode::ok);
  CHECK(failures(run).empty());
}

TEST_CASE("a site that somebody else locks stops the run before anything is staged") {
  Second run;
  run.hosts.fail("two lock /srv/root", Error(Code::locked, "bob is here"));
  CHECK(run.deploy() == ExitCode::locked);
  CHECK(run.hosts.count(" stage ") == 0);
  CHECK(run.is_old_everywhere());
  CHECK_FALSE(run.has_folder());
}

TEST_CASE("a host that cannot be reached stops the run, and nothing is done on the others") {
  Second run;
  const Error problem =
      GENERATE(Error(Code::unreachable, "no route"), Error(Code::timeout, "no answer in 60 s"));
  run.on_connect = [&](const std::string& host) {
    if (host == "two") throw Error(problem);
  };
  CHECK(run.deploy() == ExitCode::unreachable);
  for (const auto& step : run.hosts.steps())
    CHECK(step.find("look") != std::string::npos);
  const auto told = run.events.of<event::Failure>();
  REQUIRE(told.size() == 1);
  CHECK(told[0].text.find(problem.message()) != std::string::npos);
  CHECK_FALSE(run.has_folder());
}

TEST_CASE("a stop while hosts are connected ends the run in order") {
  Second run;
  run.on_connect = [&](const std::string&) {
    run.interrupt();
    throw base::Interrupted();
  };
  CHECK(run.deploy() == ExitCode::interrupted);
  CHECK(run.hosts.steps().empty());
}

TEST_CASE("a folder that is somebody else's is refused before anything is locked") {
  Second run;
  run.hosts.fail("one look /srv/lib", Error(Code::refused, "somebody else's"));
  CHECK(run.deploy() == ExitCode::usage);
  CHECK(run.hosts.count(" lock ") == 0);
}

TEST_CASE("a stop before the barrier leaves everything as it was") {
  Second run;
  run.hosts.when("two seal /srv/root", [&] { run.interrupt_before_barrier(); });
  CHECK(run.deploy() == ExitCode::interrupted);
  CHECK(run.hosts.count(" activate ") == 0);
  CHECK(run.is_old_everywhere());
  CHECK(failures(run).empty());
  CHECK(run.outcomes() == Names{"lib on one: not activated", "lib on two: not activated",
                                "root on one: not activated", "root on two: not activated"});
}

TEST_CASE("a stop behind the barrier takes back what is live") {
  Second run;
  run.hosts.when("one activate /srv/lib", [&] { run.interrupt(); });
  CHECK(run.deploy() == ExitCode::interrupted);
  CHECK(run.outcomes() == Names{"lib on one: rolled back", "lib on two: rolled back",
                                "root on one: not activated", "root on two: not activated"});
  CHECK(run.hosts.count("activate /srv/root") == 0);
  CHECK(run.hosts.count("revert /srv/lib") == 2);
  CHECK(run.hosts.count("discard /srv/root") == 2);
  CHECK(run.is_old_everywhere());
  CHECK(run.unsettled().empty());
  CHECK(run.has_folder());  // it can be resumed
}

TEST_CASE("a handler of SIG_DEPLOY that fails has deployed nothing") {
  Second run;
  run.plug([](Module& module) {
    if (module.service<Context>().module() != "lib" || !module.service<Context>().host().empty()) return;
    module.replace_signal_handler(SIG_DEPLOY, [](Module&) { throw std::runtime_error("no idea how"); });
  });
  CHECK(run.deploy() == ExitCode::nothing_activated);
  const Names outcomes = run.outcomes();
  for (const std::string& outcome : outcomes)
    CHECK(outcome.find(": deployed") == std::string::npos);
  CHECK(failures(run) == Names{"lib on one"});
  CHECK(run.is_old_everywhere());
}

TEST_CASE("an activation that fails inside run_default is taken back, and the exit code says so") {
  Second run;
  run.plug([](Module& module) {
    if (module.service<Context>().module() != "lib" || !module.service<Context>().host().empty()) return;
    module.replace_signal_handler(SIG_DEPLOY, [](Module& here) { here.service<Sender>().run_default(); });
  });
  run.hosts.fail("two activate /srv/lib", kBroken);
  CHECK(run.deploy() == ExitCode::rolled_back);
  CHECK(run.is_old_everywhere());
  CHECK(run.unsettled().empty());
  CHECK(run.has_folder());
}

TEST_CASE("a stop while run_default activates does not cut the way back") {
  Second run;
  run.plug([](Module& module) {
    if (module.service<Context>().module() != "lib" || !module.service<Context>().host().empty()) return;
    module.replace_signal_handler(SIG_DEPLOY, [](Module& here) { here.service<Sender>().run_default(); });
  });
  run.hosts.when("one activate /srv/lib", [&] { run.interrupt(); });
  run.hosts.fail("two activate /srv/lib", kBroken);
  CHECK(run.deploy() == ExitCode::rolled_back);
  CHECK(run.is_old_everywhere());
  CHECK(run.unsettled().empty());
  CHECK(run.has_folder());
}
