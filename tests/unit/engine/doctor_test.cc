// doctor: what it looks at, and that every problem comes with a fix.

#include <sys/stat.h>

#include <algorithm>

#include "tests/unit/engine/engine_fixture.h"

using namespace porter::engine;
using namespace porter::engine::test;
using Catch::Matchers::Contains;
namespace event = porter::event;
using Site = porter::tests::FakeHosts::Site;

namespace {

struct Examined : EngineFixture {
  Examined() {
    REQUIRE(deploy() == ExitCode::ok);
    request.action = Action::doctor;
    hosts.forget_steps();
  }
  std::vector<event::Checked> with(const std::string& verdict) const {
    std::vector<event::Checked> found = events.of<event::Checked>();
    std::erase_if(found, [&](const event::Checked& one) { return one.verdict != verdict; });
    return found;
  }
};

}  // namespace

TEST_CASE("a config file that is missing is a problem with a fix, and keeps nothing from being looked at") {
  Examined run;
  run.write("root/root.ini",
            "[module]\npath = /srv/root\ndepends = lib\n[config_files]\nlocal.conf = local.conf\n"
            "[plugin:tests.handlers]\n");
  CHECK(run.deploy() == ExitCode::some_hosts_failed);
  const auto problems = run.with("problem");
  REQUIRE(problems.size() == 2);
  CHECK(problems[0].host + problems[0].module + problems[0].subject == "onerootconfig file");
  CHECK_THAT(problems[0].fix, Contains("create ") && Contains("local.conf"));
  CHECK(run.hosts.count(" look ") == 4);
}

TEST_CASE("the doctor finds nothing where nothing is wrong, and changes nothing") {
  Examined run;
  CHECK(run.deploy() == ExitCode::ok);
  CHECK(run.with("problem").empty());
  const auto fine = run.with("ok");
  for (const char* subject : {"plugin", "ssh", "clock", "sudo", "disk"})
    CHECK(std::any_of(fine.begin(), fine.end(), [&](const auto& one) { return one.subject == subject; }));
  for (const char* change : {" lock ", " stage ", " activate ", " mark "})
    CHECK(run.hosts.count(change) == 0);
}

TEST_CASE("the doctor tells every problem of every host, each with a fix") {
  Examined run;
  run.hosts.change("one", "/srv/lib", [](Site& site) { site.free_bytes = 1; });
  run.hosts.change("one", "/srv/root", [](Site& site) {
    site.pending = site.current;
    site.leftovers = 2;
    site.frozen.push_back({"testing", "sale", "ann", ""});
  });
  run.on_connect = [](const std::string& host) {
    if (host == "two") throw Error(Code::unreachable, "two is down").hint("is it switched on?");
  };
  CHECK(run.deploy() == ExitCode::some_hosts_failed);
  Names found;
  for (const auto* verdict : {"problem", "warning"}) {
    for (const event::Checked& one : run.with(verdict)) {
      found.push_back(one.host + " " + one.module + " " + one.subject);
      CHECK_FALSE(one.fix.empty());
    }
  }
  std::sort(found.begin(), found.end());
  CHECK(found ==
        Names{"one lib disk", "one root freeze", "one root leftovers", "one root release", "two  ssh"});
}

TEST_CASE("a plugin that others may write to is a problem, and so is one that cannot be read") {
  Examined run;
  const porter::base::TemporaryFolder folder;
  const std::string plugin = folder.path() / "tests.handlers.so";
  run.request.plugin_path = {folder.path().string()};
  std::filesystem::copy_file(PORTER_HANDLERS_FOLDER "/tests.handlers.so", plugin);
  SECTION("written by others") {
    REQUIRE(::chmod(plugin.c_str(), 0777) == 0);
  }
  SECTION("broken") {
    porter::base::write_file(plugin, "no library\n");
  }
  CHECK(run.deploy() == ExitCode::some_hosts_failed);
  REQUIRE(run.with("problem").size() == 1);
  CHECK(run.with("problem")[0].subject == "plugin");
  CHECK_THAT(run.with("problem")[0].text, Contains(plugin));
}

TEST_CASE("what a running deploy has on a host is not called left over") {
  Examined run;
  run.hosts.change("one", "/srv/root", [](Site& site) {
    site.leftovers = 2;
    site.locked = true;
  });
  CHECK(run.deploy() == ExitCode::ok);
  CHECK(run.with("warning").empty());
}

TEST_CASE("a hook that does not compile and a clock that is off are found") {
  Examined run;
  run.write("lib/deployment.cpp", "nonsense\n");
  run.hosts.clock_offset = 3600;
  CHECK(run.deploy() == ExitCode::some_hosts_failed);
  REQUIRE(run.with("problem").size() == 1);
  CHECK(run.with("problem")[0].subject == "hook");
  const auto warnings = run.with("warning");
  REQUIRE(warnings.size() == 2);
  CHECK_THAT(warnings[0].text,
             Contains("3600 s ahead") || Contains("3599 s ahead") || Contains("3601 s ahead"));
}
