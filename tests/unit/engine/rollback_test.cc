// Going back to an older release: which one is taken, what is checked first, and all hosts or none.

#include <algorithm>

#include "tests/unit/engine/engine_fixture.h"

using namespace porter;
using namespace porter::engine;
using namespace porter::engine::test;

namespace {

const Names kSites = {"/srv/lib", "/srv/root"};

// Two releases everywhere, one of each of two runs; the second is live.
struct Two : EngineFixture {
  Two() {
    REQUIRE(deploy() == ExitCode::ok);
    first_run = request.run_id;
    first = live("one", "/srv/root");
    write("root/src/page.html", "good bye\n");
    write("lib/src/lib.py", "raise\n");
    REQUIRE(deploy() == ExitCode::ok);
    second_run = request.run_id;
    second = live("one", "/srv/root");
    hosts.forget_steps();
  }
  ExitCode rollback(const std::string& to = "") {
    request.action = Action::rollback;
    request.to_release = to;
    const ExitCode code = deploy();
    request.action = Action::deploy;
    return code;
  }
  // The run that the live release of a site was made by.
  std::string live_run(const std::string& host, const std::string& path) {
    tests::FakeHosts::Site site = hosts.site(host, path);
    return site.sealed[site.current].run_id;
  }
  // Whether all sites of both hosts run a release of that run.
  bool everywhere(const std::string& run) {
    return std::all_of(kSites.begin(), kSites.end(), [&](const std::string& site) {
      return live_run("one", site) == run && live_run("two", site) == run;
    });
  }
  std::string failure() const {
    const auto told = events.of<event::Failure>();
    return told.empty() ? "" : told.front().text;
  }

  std::string first_run, second_run;
  std::string first, second;  // of root
};

}  // namespace

TEST_CASE("a rollback makes the older release live on all hosts, checked before it is switched") {
  Two run;
  run.request.message = "the page is wrong";
  CHECK(run.rollback() == ExitCode::ok);
  CHECK(run.everywhere(run.first_run));
  CHECK(run.hosts.steps_of("one") ==
        Names{"look /srv/lib", "look /srv/root", "lock /srv/lib", "lock /srv/root", "look /srv/lib",
              "look /srv/root", "differences /srv/lib", "differences /srv/root", "place /srv/lib",
              "activate /srv/lib", "place /srv/root", "activate /srv/root", "commit /srv/lib",
              "commit /srv/root", "mark /srv/lib", "mark /srv/root"});
  CHECK(run.outcomes() == Names{"lib on one: rolled back", "lib on two: rolled back",
                                "root on one: rolled back", "root on two: rolled back"});
  CHECK_FALSE(run.has_folder());
  const protocol::HistoryRecord last = run.hosts.site("one", "/srv/root").history.back();
  CHECK(last.action == "rollback");
  CHECK(last.message == "the page is wrong");
}

TEST_CASE("what was left is bad, and is not offered again until somebody says it is good") {
  Two run;
  REQUIRE(run.rollback() == ExitCode::ok);
  const auto bad = run.hosts.site("one", "/srv/root").bad;
  REQUIRE(bad.count(run.second) == 1);
  CHECK_THAT(bad.at(run.second), Catch::Matchers::StartsWith("rolled back by "));
  CHECK(run.rollback(run.second) == ExitCode::usage);
  CHECK_THAT(run.failure(), Catch::Matchers::Contains("is bad: rolled back by") &&
                                Catch::Matchers::Contains("porter-admin releases --good "));
  CHECK(run.everywhere(run.first_run));
  for (const char* host : {"one", "two"}) {
    for (const std::string& site : kSites)
      run.hosts.change(host, site, [](tests::FakeHosts::Site& here) { here.bad.clear(); });
  }
  CHECK(run.rollback(run.second) == ExitCode::ok);
  CHECK(run.everywhere(run.second_run));
}

TEST_CASE("a release that is not what was sealed is switched to nowhere") {
  Two run;
  const auto [path, told] =
      GENERATE(table<std::string, std::string>({{"page.html", "page.html (0 more)"}, {"", "the seal of"}}));
  run.hosts.change("two", "/srv/root", [&, path = path](tests::FakeHosts::Site& site) {
    site.differences[run.first] = {{protocol::DifferenceKind::changed, path, "content"}};
  });
  CHECK(run.rollback() == ExitCode::refused);
  CHECK_THAT(run.failure(), Catch::Matchers::Contains("P443") && Catch::Matchers::Contains(told));
  CHECK(run.everywhere(run.second_run));
  CHECK(run.hosts.count(" activate ") == 0);
  CHECK(run.hosts.count(" place ") == 0);
}

TEST_CASE("a rollback that fails on one host is taken back on all, and nothing is marked") {
  Two run;
  const auto step = GENERATE(as<std::string>(), "two place /srv/root", "two activate /srv/lib");
  run.hosts.fail(step, Error(Code::io, "the disk is broken"));
  CHECK(run.rollback() == ExitCode::rolled_back);
  CHECK(run.everywhere(run.second_run));
  CHECK(run.hosts.count(" commit ") == 0);
  CHECK(run.hosts.count(" mark ") == 0);
  CHECK(run.hosts.site("one", "/srv/root").sealed.count(run.first) == 1);
  CHECK_FALSE(run.has_folder());  // there is nothing to resume
}

TEST_CASE("a rollback that is stopped while it marks what it left is known to be done") {
  Two run;
  bool kept = false;
  run.hosts.when("two mark /srv/root", [&] { kept = run.has_folder(); });
  CHECK(run.rollback() == ExitCode::ok);
  CHECK(kept);
  CHECK_FALSE(run.has_folder());
}

TEST_CASE("a rollback hears its own signal at the end, with the releases it is about") {
  Two run;
  const std::string second_lib = run.live("one", "/srv/lib");
  std::mutex mutex;
  Names heard;
  run.plug([&](Module& module) {
    if (module.service<Context>().host() != "one") return;
    module.push_signal_handler(
        SIG_ROLLBACK,
        [&](Module& here, const Payload& payload) {
          const SignalContext context = porter::context_of(payload);
          const std::lock_guard lock(mutex);
          heard.push_back(here.service<Context>().module() + " " + context.from + " " + context.to);
          CHECK(context.phase == Phase::rollback);
          CHECK(context.error.empty());
        },
        {});
  });
  CHECK(run.rollback() == ExitCode::ok);
  CHECK(heard == Names{"lib " + second_lib + " " + run.live("one", "/srv/lib"),
                       "root " + run.second + " " + run.first});
}

TEST_CASE("handlers of a rollback that fails hear that it was one, and which release stays") {
  Two run;
  std::mutex mutex;
  Names heard;
  run.plug([&](Module& module) {
    if (module.service<Context>().host() != "one" || module.service<Context>().module() != "lib") return;
    for (const Signal& signal : {SIG_DEPLOY_FAILED, SIG_ROLLBACK}) {
      module.push_signal_handler(signal,
                                 [&, signal](Module&, const Payload& payload) {
                                   const std::lock_guard lock(mutex);
                                   heard.push_back(std::string(signal.name()) + " " + payload.at("phase") +
                                                   " to " + payload.at("to"));
                                 },
                                 {});
    }
  });
  const std::string newer = run.live("one", "/srv/lib");
  const auto sealed = run.hosts.site("one", "/srv/lib").sealed;  // two, in no order of their time
  const std::string older = sealed.begin()->first == newer ? sealed.rbegin()->first : sealed.begin()->first;
  run.hosts.fail("two activate /srv/lib", Error(Code::io, "the disk is broken"));
  CHECK(run.rollback() == ExitCode::rolled_back);
  CHECK(heard == Names{"SIG_DEPLOY_FAILED rollback to " + older, "SIG_ROLLBACK rollback to " + newer});
}

TEST_CASE("handlers of a rollback are told that there is no source folder") {
  Two run;
  run.plug([](Module& module) {
    module.push_signal_handler(SIG_PRE_ACTIVATE,
                               [](Module& here) { here.service<Context>().source_directory(); });
  });
  CHECK(run.rollback() == ExitCode::rolled_back);
  CHECK_THAT(run.failure(), Catch::Matchers::Contains("no source folder"));
  CHECK(run.everywhere(run.second_run));
}

TEST_CASE("a handler that writes before the switch of a rollback stages nothing") {
  Two run;
  run.plug([](Module& module) {
    module.push_signal_handler(SIG_PRE_ACTIVATE,
                               [](Module& here) { here.service<Target>().write("ready", "now\n", 0644); });
  });
  CHECK(run.rollback() == ExitCode::ok);
  CHECK(run.everywhere(run.first_run));
  const Names steps = run.hosts.steps_of("one");
  CHECK(std::count(steps.begin(), steps.end(), "stage /srv/root") == 0);
}

TEST_CASE("without a goal the last deploy is taken back, and what it did not touch stays") {
  Two run;
  run.write("lib/src/lib.py", "a third one\n");
  REQUIRE(run.deploy() == ExitCode::ok);
  REQUIRE(run.live_run("one", "/srv/lib") == run.request.run_id);
  CHECK(run.rollback() == ExitCode::ok);
  CHECK(run.everywhere(run.second_run));
  CHECK(run.outcomes() == Names{"lib on one: rolled back", "lib on two: rolled back",
                                "root on one: unchanged", "root on two: unchanged"});
  CHECK(run.rollback() == ExitCode::ok);
  CHECK(run.everywhere(run.first_run));
}

TEST_CASE("a goal is a run, or a release of one, for all modules") {
  Two run;
  run.write("lib/src/lib.py", "a third one\n");
  REQUIRE(run.deploy() == ExitCode::ok);
  const std::string third_run = run.request.run_id;
  run.write("root/src/page.html", "a fourth one\n");
  REQUIRE(run.deploy() == ExitCode::ok);
  SECTION("a run") {
    CHECK(run.rollback(run.first_run) == ExitCode::ok);
    CHECK(run.everywhere(run.first_run));
  }
  SECTION("a release of one module") {
    CHECK(run.rollback(run.second) == ExitCode::ok);
    CHECK(run.everywhere(run.second_run));
  }
  SECTION("a run that some module had no part in: what it ran then") {
    CHECK(run.rollback(third_run) == ExitCode::ok);
    CHECK(run.live_run("two", "/srv/lib") == third_run);
    CHECK(run.live_run("two", "/srv/root") == run.second_run);
  }
}

TEST_CASE("what cannot be gone back to is refused by name") {
  Two run;
  CHECK(run.rollback("20200101T000000Z-ffff") == ExitCode::usage);
  CHECK_THAT(run.failure(), Catch::Matchers::Contains("there is no release 20200101T000000Z-ffff"));
  REQUIRE(run.rollback() == ExitCode::ok);
  CHECK(run.rollback() == ExitCode::usage);  // the first one is the oldest
  CHECK_THAT(run.failure(), Catch::Matchers::Contains("no older release"));
  CHECK(run.rollback(run.first) == ExitCode::ok);  // it runs already
  CHECK(run.outcomes() == Names{"lib on one: unchanged", "lib on two: unchanged", "root on one: unchanged",
                                "root on two: unchanged"});
}

TEST_CASE("a settler finishes a rollback that was decided and takes back one that was not") {
  Two run;
  run.request.action = Action::rollback;
  const std::string first = run.hosts.site("one", "/srv/lib").sealed.begin()->first;
  const JournalEntry begun{Step::activating, 0, "lib", "one", first};
  SECTION("decided") {
    CHECK(run.settle({begun, {Step::committing, 0, "lib", "one", first}}) == ExitCode::some_hosts_failed);
    CHECK(run.hosts.count("one commit /srv/lib") == 1);
    CHECK(run.hosts.site("one", "/srv/lib").history.back().action == "rollback");
  }
  SECTION("not decided") {
    CHECK(run.settle({begun}) == ExitCode::rolled_back);
    CHECK(run.hosts.count("one revert /srv/lib") == 1);
    CHECK(run.hosts.site("one", "/srv/lib").sealed.count(first) == 1);
  }
  CHECK_FALSE(run.has_folder());
}

TEST_CASE("what somebody else deployed while the lock was waited for is not taken back") {
  Two run;
  run.request.lock_wait_seconds = 60;
  run.hosts.fail("two lock /srv/root", Error(Code::locked, "locked by bob"));
  std::string third;
  run.hosts.when("two lock /srv/root", [&] {
    if (!third.empty()) return;
    third = "a third one";
    for (const char* host : {"one", "two"}) {
      run.hosts.change(host, "/srv/root", [&](tests::FakeHosts::Site& site) {
        protocol::SealHeader seal = site.sealed[site.current];
        seal.release_id = third;
        seal.run_id = "of bob";
        ++seal.made_at_ns;
        site.sealed[third] = seal;
        site.current = third;
      });
    }
  });
  CHECK(run.rollback() == ExitCode::refused);
  CHECK_THAT(run.failure(), Catch::Matchers::Contains("P444") && Catch::Matchers::Contains("somebody else"));
  CHECK(run.live("one", "/srv/root") == third);
  CHECK(run.live_run("one", "/srv/lib") == run.second_run);
  CHECK(run.hosts.count(" activate ") == 0);
}

TEST_CASE("a site that was never deployed to does not stop a rollback of the others") {
  Two run;
  run.hosts.change("two", "/srv/root", [](tests::FakeHosts::Site& site) { site = {}; });
  CHECK(run.rollback(GENERATE(false, true) ? run.first_run : "") == ExitCode::ok);
  CHECK(run.outcomes() == Names{"lib on one: rolled back", "lib on two: rolled back",
                                "root on one: rolled back", "root on two: unchanged"});
  CHECK(run.hosts.count("two lock /srv/root") == 0);
}

TEST_CASE("a rollback without anything live anywhere says so") {
  EngineFixture run;
  run.request.action = Action::rollback;
  CHECK(run.deploy() == ExitCode::usage);
  CHECK_THAT(run.events.of<event::Failure>().at(0).text, Catch::Matchers::Contains("nothing is live there"));
}
