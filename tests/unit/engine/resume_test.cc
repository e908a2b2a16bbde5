// Going on with a run that ended early: with its own source, on all its places, whenever it was killed.

#include <algorithm>

#include "tests/unit/engine/engine_fixture.h"

using namespace porter;
using namespace porter::engine;
using namespace porter::engine::test;

namespace {

const Error kBroken(Code::io, "the disk is broken");
const Names kAllDeployed = {"lib on one: deployed", "lib on two: deployed", "root on one: deployed",
                            "root on two: deployed"};

// The world of hosts and the run's folder, as they were at one moment.
class Moment {
 public:
  explicit Moment(EngineFixture& fixture) : folder_("moment") {
    std::string journal;
    do {  // hosts work at once: until nothing was announced while they were looked at
      journal = journal_of(fixture);
      sites_ = fixture.hosts.sites();
    } while (journal != journal_of(fixture));
    if (!fixture.has_folder()) return;
    std::filesystem::copy(fixture.run_folder(), folder_.path() / "run",
                          std::filesystem::copy_options::recursive);
    base::write_file(folder_.path() / "run" / "journal", journal, 0600);
  }
  // What a kill at that moment would have left.
  void restore(EngineFixture& fixture) {
    fixture.hosts.put_back(sites_);
    base::remove_tree(fixture.run_folder());
    if (!had_folder()) return;
    std::filesystem::copy(folder_.path() / "run", fixture.run_folder(),
                          std::filesystem::copy_options::recursive);
  }
  bool had_folder() const { return std::filesystem::exists(folder_.path() / "run"); }

 private:
  static std::string journal_of(const EngineFixture& fixture) {
    const std::filesystem::path file = fixture.run_folder() / "journal";
    return std::filesystem::exists(file) ? base::read_file(file) : "";
  }

  tests::FakeHosts::Sites sites_;
  base::TemporaryFolder folder_;
};

// Something is live, both modules have changed, and a run that brings the change is interrupted.
struct Interrupted : EngineFixture {
  Interrupted() {
    REQUIRE(deploy() == ExitCode::ok);
    old_root = live("one", "/srv/root");
    write("root/src/page.html", "second\n");
    write("lib/src/lib.py", "second\n");
    hosts.forget_steps();
  }
  void change_source() {
    write("root/src/page.html", "third\n");
    write("lib/src/lib.py", "third\n");
    write("lib/src/new.py", "third\n");
  }
  void deploy_killed_at(const std::string& step) {
    std::optional<Moment> moment;
    hosts.when(step, [&] {
      if (!moment) moment.emplace(*this);
    });
    deploy();
    REQUIRE(moment);
    hosts.when(step, nullptr);
    moment->restore(*this);
    hosts.forget_steps();
  }
  bool second_is_live_everywhere() {
    for (const char* host : {"one", "two"}) {
      if (hosts.site(host, "/srv/root").sent["page.html"] != "second\n") return false;
      if (hosts.site(host, "/srv/lib").sent["lib.py"] != "second\n") return false;
      if (hosts.site(host, "/srv/lib").sent.contains("new.py")) return false;
      for (const char* path : {"/srv/root", "/srv/lib"}) {
        tests::FakeHosts::Site site = hosts.site(host, path);
        if (site.sealed[site.current].run_id != request.run_id) return false;
        if (!site.pending.empty() || !site.uncommitted.empty() || !site.staged.empty()) return false;
      }
    }
    return live("one", "/srv/root") == live("two", "/srv/root");
  }

  std::string old_root;
};

bool mentions(const EngineFixture& fixture, const std::string& text) {
  const auto told = fixture.events.of<event::Failure>();
  return std::any_of(told.begin(), told.end(), [&](const event::Failure& failure) {
    return failure.text.find(text) != std::string::npos;
  });
}

}  // namespace

TEST_CASE("a run that failed is resumed with the source it began with") {
  Interrupted run;
  run.hosts.fail("two seal /srv/root", kBroken);
  REQUIRE(run.deploy() == ExitCode::nothing_activated);
  const std::string id = run.request.run_id;
  run.change_source();
  CHECK(run.resume() == ExitCode::ok);
  CHECK(run.outcomes() == kAllDeployed);
  CHECK(run.second_is_live_everywhere());
  CHECK(run.live("one", "/srv/root").ends_with(id.substr(id.rfind('-'))));
  CHECK_FALSE(run.has_folder());
  const auto started = run.events.of<event::RunStarted>();
  REQUIRE(started.size() == 1);
  CHECK(started[0].command == "resume");
  CHECK(started[0].run_id == id);
  CHECK(started[0].config == "testing");
}

TEST_CASE("whatever step a run is killed at, its resume brings its own source to every host") {
  Names steps;
  {
    Interrupted whole;
    REQUIRE(whole.deploy() == ExitCode::ok);
    steps = whole.hosts.steps();
  }
  std::sort(steps.begin(), steps.end());
  steps.erase(std::unique(steps.begin(), steps.end()), steps.end());
  int resumed = 0;
  for (const std::string& step : steps) {
    INFO("killed before " << step);
    Interrupted run;
    run.deploy_killed_at(step);
    if (!run.has_folder()) continue;  // before anything was to be changed
    run.change_source();
    if (open_steps(Journal::read(run.run_folder() / "journal")).empty()) {
      // Before its first step: it changed nothing, and there is nothing to resume.
      CHECK(run.resume() == ExitCode::usage);
      CHECK_FALSE(run.has_folder());
      continue;
    }
    ++resumed;
    if (!std::filesystem::exists(run.run_folder() / "content/pack")) {
      // Before a byte of its source was read for sending: only the source itself has it, and has changed.
      CHECK(run.resume() == ExitCode::nothing_activated);
      CHECK_FALSE(run.second_is_live_everywhere());
      continue;
    }
    CHECK(run.resume() == ExitCode::ok);
    CHECK(run.second_is_live_everywhere());
    CHECK_FALSE(run.has_folder());
  }
  CHECK(resumed >=
        12);  // stage, seal, activate and commit, of two modules on two hosts, but for the very first
}

TEST_CASE("what is sealed already is not sent again, and what is committed is left alone") {
  Interrupted run;
  SECTION("killed between seal and activation") {
    run.deploy_killed_at("one activate /srv/lib");
    CHECK(run.resume() == ExitCode::ok);
    CHECK(run.hosts.count(" stage /srv/root") == 0);
    CHECK(run.hosts.count(" seal /srv/root") == 0);
    CHECK(run.hosts.count(" activate /srv/root") == 2);
    CHECK(run.outcomes() == kAllDeployed);
  }
  SECTION("killed in the middle of the commits") {
    run.deploy_killed_at("two commit /srv/root");
    CHECK(run.resume() == ExitCode::ok);
    CHECK(run.hosts.count(" stage ") + run.hosts.count(" activate ") + run.hosts.count(" revert ") == 0);
    CHECK(run.outcomes() == Names{"lib on one: unchanged", "lib on two: unchanged", "root on one: unchanged",
                                  "root on two: unchanged"});
  }
  CHECK(run.second_is_live_everywhere());
}

TEST_CASE("what a forced run committed before it was killed is not forced again") {
  Interrupted run;
  run.request.force_all = true;
  run.deploy_killed_at("two commit /srv/root");
  CHECK(run.resume() == ExitCode::ok);
  CHECK(run.hosts.count(" stage ") == 0);
  CHECK(run.second_is_live_everywhere());
}

TEST_CASE("a release id that is marked bad on one host is replaced on all") {
  Interrupted run;
  bool sick = true;
  run.plug([&](Module& module) {
    const Context& here = module.service<Context>();
    if (here.host() != "two" || here.module() != "lib") return;
    module.push_signal_handler(SIG_HEALTH_CHECK, [&](Module&) {
      if (sick) throw std::runtime_error("sick");
    });
  });
  CHECK(run.deploy() == ExitCode::rolled_back);
  const auto bad = run.hosts.site("two", "/srv/lib").bad;
  REQUIRE(bad.size() == 1);
  sick = false;
  run.change_source();
  CHECK(run.resume() == ExitCode::ok);
  CHECK(run.second_is_live_everywhere());
  CHECK(run.live("one", "/srv/lib") == run.live("two", "/srv/lib"));
  CHECK_FALSE(bad.contains(run.live("one", "/srv/lib")));
}

TEST_CASE("a resume that fails can be resumed") {
  Interrupted run;
  run.deploy_killed_at("one activate /srv/root");
  run.change_source();
  run.hosts.fail("two activate /srv/lib", kBroken);
  CHECK(run.resume() == ExitCode::rolled_back);
  CHECK(run.live("one", "/srv/root") == run.old_root);
  CHECK(run.has_folder());
  CHECK(run.resume() == ExitCode::ok);
  CHECK(run.second_is_live_everywhere());
}

TEST_CASE("a resume does not go over what somebody else deployed meanwhile") {
  Interrupted run;
  run.hosts.fail("two seal /srv/root", kBroken);
  REQUIRE(run.deploy() == ExitCode::nothing_activated);
  run.hosts.change("two", "/srv/lib", [](tests::FakeHosts::Site& site) {
    site.sealed["20261122T070000Z-abcdabcd-0009"].release_id = "20261122T070000Z-abcdabcd-0009";
    site.current = "20261122T070000Z-abcdabcd-0009";
  });
  run.hosts.forget_steps();
  CHECK(run.resume() == ExitCode::refused);
  CHECK(run.hosts.count(" lock ") == 0);
  CHECK(mentions(run, "20261122T070000Z-abcdabcd-0009"));
  CHECK(run.has_folder());
}

TEST_CASE("a run that is alive is not resumed, and an unknown one neither") {
  Interrupted run;
  ExitCode code = ExitCode::ok;
  std::string run_id;
  run.hosts.when("one seal /srv/lib", [&] {
    run_id = run.request.run_id;
    code = run.run_beside(Action::resume);
  });
  CHECK(run.deploy() == ExitCode::ok);
  CHECK(code == ExitCode::locked);
  CHECK(run.resume() == ExitCode::usage);  // it ended well
  CHECK(mentions(run, "there is no unfinished run " + run_id));
}

TEST_CASE("a place that cannot be settled stops the resume, and nothing is sent anywhere") {
  Interrupted run;
  run.deploy_killed_at("two activate /srv/root");
  run.on_connect = [](const std::string& host) {
    if (host == "two") throw Error(Code::unreachable, "no route");
  };
  CHECK(run.resume() == ExitCode::rollback_failed);
  CHECK(run.hosts.count(" stage ") == 0);
  CHECK(run.has_folder());
  run.on_connect = nullptr;
  CHECK(run.resume() == ExitCode::ok);
  CHECK(run.second_is_live_everywhere());
}

TEST_CASE("a broken project does not keep a resume from settling") {
  Interrupted run;
  run.deploy_killed_at("two activate /srv/root");
  REQUIRE(run.live("one", "/srv/lib") != "");
  run.write("project.ini", "[projekt]\n");
  CHECK(run.resume() == ExitCode::usage);
  CHECK(run.live("one", "/srv/root") == run.old_root);
  CHECK(run.has_folder());
  const auto open = run.unsettled();
  CHECK(std::all_of(open.begin(), open.end(),
                    [](const JournalEntry& entry) { return entry.step == Step::staging; }));
}

TEST_CASE("a deploy over the same places forgets the run, and one over others does not") {
  Interrupted run;
  run.hosts.fail("two seal /srv/root", kBroken);
  REQUIRE(run.deploy() == ExitCode::nothing_activated);
  const std::filesystem::path folder = run.run_folder();
  run.request.hosts = {"one"};
  CHECK(run.deploy() == ExitCode::ok);
  CHECK(std::filesystem::exists(folder));
  run.request.hosts = {};
  CHECK(run.deploy() == ExitCode::ok);
  CHECK_FALSE(std::filesystem::exists(folder));
}

TEST_CASE("a deploy to another machine of the same name does not forget the run") {
  Interrupted run;
  run.hosts.fail("two seal /srv/root", kBroken);
  REQUIRE(run.deploy() == ExitCode::nothing_activated);
  const std::filesystem::path folder = run.run_folder();
  run.write("project.ini",
            "[project]\nname = Other\ndepends = root\n"
            "[hosts]\none = ann@one.example.org\ntwo = ann@two.example.net\n"
            "[config:testing]\nhosts = one, two\n");
  REQUIRE(run.deploy() == ExitCode::ok);
  CHECK(std::filesystem::exists(folder));
}

TEST_CASE("a handler that writes before the switch stages nothing over what an earlier run sealed") {
  Interrupted run;
  run.deploy_killed_at("two seal /srv/root");
  run.plug([](Module& module) {
    module.push_signal_handler(SIG_PRE_ACTIVATE,
                               [](Module& here) { here.service<Target>().write("ready", "now\n", 0644); });
  });
  CHECK(run.resume() == ExitCode::ok);
  const Names steps = run.hosts.steps_of("one");
  CHECK(std::count(steps.begin(), steps.end(), "stage /srv/lib") == 0);
}

TEST_CASE("no more than five unfinished runs are kept") {
  Interrupted run;
  for (int i = 0; i < 7; ++i) {
    run.hosts.fail("two seal /srv/lib", kBroken);
    REQUIRE(run.deploy() == ExitCode::nothing_activated);
  }
  CHECK(RunFolder::all(run.run_folder().parent_path().parent_path()).size() == 5);
  CHECK(run.has_folder());
}

TEST_CASE("handlers of a resumed run are told that there is no source folder") {
  Interrupted run;
  run.deploy_killed_at("two stage /srv/root");
  run.plug([](Module& module) {
    if (module.service<Context>().module() != "lib") return;
    module.push_signal_handler(SIG_PRE_ACTIVATE,
                               [](Module& here) { here.service<Context>().source_directory(); });
  });
  CHECK(run.resume() == ExitCode::rolled_back);
  CHECK(mentions(run, "no source folder"));
}

TEST_CASE("a project that was moved since is looked for where the run began") {
  Interrupted run;
  run.deploy_killed_at("two stage /srv/root");
  run.move_project("shop", "elsewhere");
  CHECK(run.resume() == ExitCode::usage);
  CHECK(mentions(run, "the run began here"));
  CHECK(mentions(run, "move the project back there"));
  CHECK_FALSE(mentions(run, "create-project"));
  CHECK(run.has_folder());
  run.move_project("elsewhere", "shop");
  CHECK(run.resume() == ExitCode::ok);
}
