// Before anything is changed: locks that are held together, waiting for them, and drift.

#include <algorithm>

#include "tests/unit/engine/engine_fixture.h"

using namespace porter::engine;
using namespace porter::engine::test;
using Catch::Matchers::Contains;
namespace event = porter::event;
using Site = porter::tests::FakeHosts::Site;

namespace {

const Error kBusy(Code::locked,
                  "/srv/root: locked by bob@desk since noon (deploy of root), run 20261121T-b0b");

Names warnings(const EngineFixture& fixture) {
  Names found;
  for (const auto& talk : fixture.events.of<event::Talk>()) {
    if (talk.level == event::Level::warning) found.push_back(talk.text);
  }
  return found;
}

}  // namespace

TEST_CASE("a busy site is an error that shows its holder when nobody waits") {
  EngineFixture run;
  run.hosts.fail("two lock /srv/root", kBusy);
  CHECK(run.deploy() == ExitCode::locked);
  CHECK_THAT(run.events.of<event::Failure>().at(0).text, Contains("bob@desk since noon"));
  CHECK(run.hosts.count(" stage ") == 0);
  CHECK_FALSE(run.has_folder());
}

TEST_CASE("who waits holds nothing meanwhile, says who is waited for once, and looks again") {
  EngineFixture run;
  run.hosts.fail("two lock /srv/root", kBusy, 3);
  run.request.lock_wait_seconds = 60;
  CHECK(run.deploy() == ExitCode::ok);
  CHECK(run.hosts.count("two lock /srv/root") == 4);
  CHECK(run.hosts.count("one lock /srv/lib") == 4);
  CHECK(run.hosts.count("one unlock /srv/lib") >= 3);
  const Names said = warnings(run);
  CHECK(std::count(said.begin(), said.end(), "waiting: " + kBusy.message()) == 1);
  CHECK(run.hosts.count("one look /srv/root") == 2);
}

TEST_CASE("what was unchanged and is not after the wait is deployed, built and staged like the others") {
  EngineFixture run;
  REQUIRE(run.deploy() == ExitCode::ok);
  const std::string old = run.live("one", "/srv/lib");
  run.write("root/src/page.html", "good bye\n");
  run.hosts.fail("two lock /srv/root", kBusy);
  run.hosts.when("two lock /srv/root", [&] {  // bob's run brings another lib
    for (const char* host : {"one", "two"})
      run.hosts.change(host, "/srv/lib", [](Site& site) { site.sealed[site.current].skip_key = "of bob"; });
  });
  run.plug_listener();
  run.request.lock_wait_seconds = 60;
  CHECK(run.deploy() == ExitCode::ok);
  CHECK(run.live("one", "/srv/lib") != old);
  CHECK(run.hosts.count("one SIG_DEPLOY_START lib") == 1);
  CHECK(run.hosts.count("one SIG_DEPLOY_START root") == 1);
}

TEST_CASE("what stays as it is, is held while the rest is deployed") {
  EngineFixture run;
  REQUIRE(run.deploy() == ExitCode::ok);
  run.write("root/src/page.html", "good bye\n");
  run.hosts.fail("two lock /srv/lib", kBusy);
  CHECK(run.deploy() == ExitCode::locked);
  CHECK(run.deploy() == ExitCode::ok);
}

TEST_CASE("a failure that is no busy lock ends the wait at once") {
  EngineFixture run;
  run.hosts.fail("two lock /srv/root", kBusy, 1000);
  run.hosts.fail("one lock /srv/root", Error(Code::io, "the disk is broken"));
  run.request.lock_wait_seconds = 60;
  CHECK(run.deploy() == ExitCode::nothing_activated);
  CHECK(run.hosts.count("two lock /srv/root") == 1);
}

TEST_CASE("a wait can be interrupted") {
  EngineFixture run;
  run.hosts.fail("two lock /srv/root", kBusy, 1000);
  run.hosts.when("two unlock /srv/lib", [&] { run.interrupt(); });
  run.request.lock_wait_seconds = 60;
  CHECK(run.deploy() == ExitCode::interrupted);
  CHECK(run.hosts.count(" stage ") == 0);
}

TEST_CASE("drift is a warning in releases, and stops a deploy in place unless it is overwritten") {
  EngineFixture run;
  const bool inplace = GENERATE(false, true);
  if (inplace)
    run.write("lib/lib.ini", "[module]\npath = /srv/lib\nlayout = inplace\n[plugin:tests.handlers]\n");
  REQUIRE(run.deploy() == ExitCode::ok);
  const std::string old = run.live("one", "/srv/lib");
  run.write("lib/src/lib.py", "raise\n");
  run.hosts.change("one", "/srv/lib", [](Site& site) { site.drift = 1; });
  if (inplace) {
    CHECK(run.deploy() == ExitCode::refused);
    CHECK_THAT(run.events.of<event::Failure>().at(0).text, Contains("P443") && Contains("--overwrite-drift"));
    CHECK(run.live("one", "/srv/lib") == old);
    run.request.overwrite_drift = true;
  }
  CHECK(run.deploy() == ExitCode::ok);
  CHECK(run.live("one", "/srv/lib") != old);
  CHECK(warnings(run) == Names{"1 changed and 0 missing since the last deploy: "});
}

TEST_CASE("a confirmation counts a host once, however many users are logged in there") {
  EngineFixture run;
  run.write("project.ini",
            "[project]\nname = Shop\ndepends = root\n"
            "[hosts]\none = ann@one.example.org\ntwo = ann@two.example.org\n"
            "[config:testing]\nhosts = one, two\nconfirm = yes\n");
  run.write("lib/lib.ini", "[module]\npath = /srv/lib\nbecome = www\n[plugin:tests.handlers]\n");
  run.request.interactive = true;
  CHECK(run.deploy() == ExitCode::usage);
  CHECK(run.asked() == Names{"deploy to testing (2 hosts)? [y/N] "});
}
