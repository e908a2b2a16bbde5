// status, releases, history, diff and freeze: what is told of the hosts, and what a freeze refuses.

#include "tests/unit/engine/engine_fixture.h"

using namespace porter::engine;
using namespace porter::engine::test;
using Catch::Matchers::Contains;
namespace event = porter::event;
namespace protocol = porter::protocol;
using Site = porter::tests::FakeHosts::Site;

namespace {

struct Deployed : EngineFixture {
  Deployed() {
    write("project.ini",
          "[project]\nname = Shop\ndepends = root\n"
          "[hosts]\none = ann@one.example.org\ntwo = ann@two.example.org\n"
          "[config:testing]\nhosts = one, two\n[config:production]\nhosts = one, two\n");
    REQUIRE(deploy() == ExitCode::ok);
    release = live("one", "/srv/root");
    hosts.forget_steps();
  }
  ExitCode ask(Action action) {
    request.action = action;
    return deploy();
  }
  std::string release;
};

}  // namespace

TEST_CASE("status tells what runs where, in the order of modules and hosts, and takes no lock") {
  Deployed run;
  run.hosts.change("two", "/srv/root", [](Site& site) {
    site.drift = 2;
    site.frozen.push_back({"testing", "sale", "ann", "2026-11-21T07:00:00Z"});
  });
  CHECK(run.ask(Action::status) == ExitCode::ok);
  const auto told = run.events.of<event::SiteStatus>();
  REQUIRE(told.size() == 4);
  CHECK(told[0].module + told[0].host == "libone");
  CHECK(told[3].module + told[3].host == "roottwo");
  CHECK(told[3].release_id == run.release);
  CHECK(told[3].config == "testing");
  CHECK(told[3].drift_changed == 2);
  REQUIRE(told[3].notes.size() == 1);
  CHECK_THAT(told[3].notes[0], Contains("config testing is frozen") && Contains("sale"));
  CHECK(run.hosts.count(" lock ") == 0);
  CHECK_FALSE(run.has_folder());
}

TEST_CASE("a host that cannot be reached is told, and the others are shown") {
  Deployed run;
  run.on_connect = [](const std::string& host) {
    if (host == "two") throw Error(Code::unreachable, "two is down");
  };
  CHECK(run.ask(Action::status) == ExitCode::some_hosts_failed);
  CHECK(run.events.of<event::SiteStatus>().size() == 2);
  REQUIRE(run.events.of<event::Failure>().size() == 1);
  CHECK(run.events.of<event::Failure>()[0].host == "two");
  run.on_connect = [](const std::string&) { throw Error(Code::unreachable, "all are down"); };
  CHECK(run.ask(Action::status) == ExitCode::unreachable);
}

TEST_CASE("a site that cannot be read keeps no other one back") {
  Deployed run;
  run.hosts.fail("one look /srv/lib", Error(Code::io, "/srv/lib: Permission denied"), 9);
  CHECK(run.ask(Action::status) == ExitCode::some_hosts_failed);
  const auto told = run.events.of<event::SiteStatus>();
  REQUIRE(told.size() == 3);
  for (const event::SiteStatus& site : told)
    CHECK_FALSE(site.release_id.empty());
  REQUIRE(run.events.of<event::Failure>().size() == 1);
  CHECK(run.events.of<event::Failure>()[0].module == "lib");
}

TEST_CASE("what a running deploy has there is not called left over") {
  Deployed run;
  run.hosts.change("one", "/srv/lib", [](Site& site) {
    site.leftovers = 1;
    site.locked = true;
  });
  CHECK(run.ask(Action::status) == ExitCode::ok);
  const auto notes = run.events.of<event::SiteStatus>()[0].notes;
  REQUIRE(notes.size() == 1);
  CHECK_THAT(notes[0], Contains("locked by"));
}

TEST_CASE("releases shows what is current, pinned and bad, and puts marks on one") {
  Deployed run;
  run.request.mark_release = run.release;
  run.request.mark = "pin";
  CHECK(run.ask(Action::releases) == ExitCode::ok);
  CHECK(run.hosts.site("two", "/srv/root").pinned.count(run.release) == 1);
  CHECK(run.hosts.count(" mark ") == 2);  // lib has no such release
  CHECK(run.hosts.count(" lock ") == 2);
  run.request.mark.clear();
  run.hosts.change("one", "/srv/root", [&](Site& site) { site.bad[run.release] = "too slow"; });
  CHECK(run.ask(Action::releases) == ExitCode::ok);
  const auto found = run.events.of<event::ReleaseFound>();
  REQUIRE(found.size() == 4);
  CHECK_FALSE(found[1].pinned);
  CHECK(found[2].current);
  CHECK(found[2].pinned);
  CHECK(found[2].bad == "too slow");
  CHECK(found[3].bad.empty());
}

TEST_CASE("a mark of a run is put on all its releases; one that nobody has is an error") {
  Deployed run;
  run.request.mark_release = run.request.run_id;
  run.request.mark = "pin";
  CHECK(run.ask(Action::releases) == ExitCode::ok);
  CHECK(run.hosts.count(" mark ") == 4);
  run.request.mark_release = "20200101T000000Z-ffff";
  CHECK(run.ask(Action::releases) == ExitCode::usage);
  CHECK(run.hosts.count(" mark ") == 4);
  // Nobody knows what a host has that does not answer.
  run.on_connect = [](const std::string& host) {
    if (host == "two") throw Error(Code::unreachable, "two is down");
  };
  CHECK(run.ask(Action::releases) == ExitCode::unreachable);
}

TEST_CASE("history tells who did what") {
  Deployed run;
  CHECK(run.ask(Action::history) == ExitCode::ok);
  const auto lines = run.events.of<event::HistoryFound>();
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].action == "commit");
  CHECK(lines[2].release_id == run.release);
  CHECK(lines[0].config == "testing");
}

TEST_CASE("diff tells every difference, and its exit code only when asked") {
  Deployed run;
  CHECK(run.ask(Action::diff) == ExitCode::ok);
  run.hosts.change("one", "/srv/root", [](Site& site) {
    site.differences[""] = {{protocol::DifferenceKind::changed, "page.html", "content"},
                            {protocol::DifferenceKind::added, "core", ""}};
  });
  CHECK(run.ask(Action::diff) == ExitCode::ok);
  const auto found = run.events.of<event::DriftFound>();
  REQUIRE(found.size() == 2);
  CHECK(found[0].kind + " " + found[0].path + " " + found[0].what == "changed page.html content");
  CHECK(found[1].kind == "added");
  run.request.detailed_exit_code = true;
  CHECK(run.ask(Action::diff) == ExitCode::plan_has_changes);
}

TEST_CASE("a release whose seal is damaged has nothing to be compared with") {
  Deployed run;
  run.hosts.change("one", "/srv/root", [](Site& site) {
    site.differences[""] = {{protocol::DifferenceKind::missing, "", ""}};
  });
  CHECK(run.ask(Action::diff) == ExitCode::some_hosts_failed);
  CHECK(run.events.of<event::DriftFound>().empty());
  REQUIRE(run.events.of<event::Failure>().size() == 1);
  CHECK_THAT(run.events.of<event::Failure>()[0].text, Contains("seal") && Contains("hint: "));
}

TEST_CASE("config files that are missing here are needed by deploy and plan alone") {
  Deployed run;
  run.write("root/src/page.html", "good bye\n");
  REQUIRE(run.ask(Action::deploy) == ExitCode::ok);
  run.write("root/root.ini",
            "[module]\npath = /srv/root\ndepends = lib\n[config_files]\nlocal.conf = local.conf\n"
            "[plugin:tests.handlers]\n");
  run.request.message = "sale";
  for (const Action action : {Action::status, Action::releases, Action::history, Action::diff, Action::freeze,
                              Action::unfreeze, Action::rollback}) {
    INFO(name_of(action));
    CHECK(run.ask(action) == ExitCode::ok);
  }
  run.request.dry_run = GENERATE(false, true);
  CHECK(run.ask(Action::deploy) == ExitCode::usage);
  CHECK_THAT(run.events.of<event::Failure>().at(0).text, Contains("local.conf"));
}

TEST_CASE("a plan of a frozen config is shown, and says that a deploy would be refused") {
  Deployed run;
  for (const char* host : {"one", "two"})
    run.hosts.change(host, "/srv/root", [](Site& site) {
      site.frozen.push_back({"testing", "sale", "ann", "2026-11-21T07:00:00Z"});
      site.frozen.push_back({"production", "rush", "bob", "2026-11-21T07:00:00Z"});
    });
  run.write("root/src/page.html", "good bye\n");
  run.request.dry_run = true;
  CHECK(run.ask(Action::deploy) == ExitCode::ok);
  CHECK(run.events.of<event::Planned>().size() == 4);
  Names warnings;
  for (const auto& talk : run.events.of<event::Talk>())
    if (talk.level == event::Level::warning) warnings.push_back(talk.host + ": " + talk.text);
  REQUIRE(warnings.size() == 2);
  for (const char* word : {"config testing is frozen since 2026-11-21T07:00:00Z by ann: sale",
                           "a deploy would be refused", "porter-admin unfreeze --config testing"})
    CHECK_THAT(warnings[0], Contains(word));
}

TEST_CASE("a folder of somebody else is refused, and says which command takes it over") {
  Deployed run;
  run.hosts.change("one", "/srv/root", [](Site& site) { site.foreign = "is somebody else's"; });
  const Action action = GENERATE(Action::deploy, Action::rollback);
  CHECK(run.ask(action) == ExitCode::usage);
  CHECK_THAT(run.events.of<event::Failure>().at(0).text,
             Contains("is somebody else's") && Contains("porter-admin deploy --adopt"));
}

TEST_CASE("a frozen config is not deployed until it is unfrozen; others are") {
  Deployed run;
  run.request.message = "no changes during the sale";
  CHECK(run.ask(Action::freeze) == ExitCode::ok);
  run.write("root/src/page.html", "good bye\n");
  CHECK(run.ask(Action::deploy) == ExitCode::refused);
  CHECK_THAT(run.events.of<event::Failure>().at(0).text,
             Contains("P442") && Contains("no changes during the sale") &&
                 Contains("porter-admin unfreeze --config testing"));
  CHECK(run.live("one", "/srv/root") == run.release);
  run.request.config = "production";
  CHECK(run.ask(Action::deploy) == ExitCode::ok);
  run.request.config = "testing";
  CHECK(run.ask(Action::unfreeze) == ExitCode::ok);
  CHECK(run.ask(Action::deploy) == ExitCode::ok);
}

TEST_CASE("a freeze wants a reason and a config, and is on all hosts or none") {
  Deployed run;
  CHECK(run.ask(Action::freeze) == ExitCode::usage);
  run.request.message = "sale";
  run.request.config = "";
  CHECK(run.ask(Action::freeze) == ExitCode::usage);
  run.request.config = "testing";
  run.on_connect = [](const std::string& host) {
    if (host == "two") throw Error(Code::unreachable, "two is down");
  };
  CHECK(run.ask(Action::freeze) == ExitCode::unreachable);
  CHECK(run.hosts.count(" freeze ") == 0);
}
