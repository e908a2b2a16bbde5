// plan, plan --out and deploy --plan: what is told, and what makes a plan stale.

#include "core/base/files.h"
#include "core/base/text.h"
#include "tests/unit/engine/engine_fixture.h"

using namespace porter;
using namespace porter::engine;
using namespace porter::engine::test;
using Catch::Matchers::Contains;

namespace {

struct Planning : EngineFixture {
  Planning() { REQUIRE(deploy() == ExitCode::ok); }
  ExitCode plan(const std::string& out = "") {
    request.dry_run = true;
    request.plan_out = out;
    hosts.forget_steps();
    const ExitCode code = deploy();
    request.dry_run = false;
    request.plan_out.clear();
    return code;
  }
  ExitCode deploy_planned() {
    request.plan_file = "plan.json";
    hosts.forget_steps();
    const ExitCode code = deploy();
    request.plan_file.clear();
    return code;
  }
  std::filesystem::path plan_file() const { return request.directory / "plan.json"; }
  std::string failure() const {
    const auto told = events.of<event::Failure>();
    return told.empty() ? "" : told.front().text;
  }
};

}  // namespace

TEST_CASE("a plan tells files and handlers, changes nothing, and leaves nothing to resume") {
  Planning run;
  run.write("root/src/page.html", "good bye\n");
  run.plug([](Module& module) {
    if (module.service<Context>().module() == "root")
      module.push_signal_handler(SIG_POST_ACTIVATE, [](Module&) {});
  });
  CHECK(run.plan() == ExitCode::ok);
  const auto plans = run.events.of<event::Planned>();
  REQUIRE(plans.size() == 4);
  for (const auto& plan : plans)
    CHECK(plan.unchanged == (plan.module == "lib"));
  CHECK(plans[2].paths == Names{"+ page.html"});
  REQUIRE(plans[2].handlers.size() == 1);
  CHECK_THAT(plans[2].handlers[0], Contains("SIG_POST_ACTIVATE: plugin tests.handlers"));
  for (const char* change : {" lock ", " stage ", " activate ", " commit "})
    CHECK(run.hosts.count(change) == 0);
  CHECK_FALSE(run.has_folder());
  run.request.detailed_exit_code = true;
  CHECK(run.plan() == ExitCode::plan_has_changes);
  CHECK(run.deploy() == ExitCode::ok);
  CHECK(run.plan() == ExitCode::ok);
}

TEST_CASE("a plan lists handlers in the order in which a deploy calls them") {
  Planning run;
  if (GENERATE(false, true))
    run.write("root/root.ini",
              "[module]\npath = /srv/root\ndepends = lib\nlayout = inplace\n[plugin:tests.handlers]\n");
  run.write("root/src/page.html", "good bye\n");
  run.plug_listener();
  REQUIRE(run.plan() == ExitCode::ok);
  const event::Planned planned = run.events.of<event::Planned>().at(2);
  REQUIRE(planned.host == "one");
  REQUIRE(run.deploy() == ExitCode::ok);
  Names heard;
  for (const std::string& step : run.hosts.steps_of("one"))
    if (step.starts_with("SIG_") && step.ends_with(" root")) heard.push_back(step.substr(0, step.find(' ')));
  Names told;
  for (const std::string& handler : planned.handlers)
    told.push_back(handler.substr(0, handler.find(':')));
  CHECK(heard.size() == 9);
  CHECK(told == heard);
}

TEST_CASE("a plan lists what drifted, since it will be as it is wanted again") {
  Planning run;
  run.write("root/src/new.html", "new\n");
  const auto written = std::filesystem::last_write_time(run.request.directory / "root/src/page.html");
  const auto since_epoch = std::chrono::file_clock::to_sys(written).time_since_epoch();
  run.hosts.change("one", "/srv/root", [&](tests::FakeHosts::Site& site) {
    site.drift = 1;
    site.differences[""] = {{protocol::DifferenceKind::changed, "page.html", "content"},
                            {protocol::DifferenceKind::changed, "gone.html", "content"}};
    site.tree = sync::Tree();
    site.tree->identity = sync::Identity::with_mtime;
    site.tree->folders.emplace_back();
    sync::Entry page;
    page.name = "page.html";
    page.size = 6;
    page.mtime_ns = std::chrono::nanoseconds(since_epoch).count();
    page.digest = base::sha256("hello\n");
    site.tree->folders[0].entries = {page};
    site.tree->seal_digests();
  });
  CHECK(run.plan() == ExitCode::ok);
  const auto plans = run.events.of<event::Planned>();
  REQUIRE(plans.size() == 4);
  CHECK(plans[2].paths == Names{"~ page.html", "+ new.html"});
  CHECK(plans[2].bytes_to_send == 10);
}

namespace {

// A change of local.conf on both hosts, where the old one is live with this mode.
struct ConfigPlan : Planning {
  explicit ConfigPlan(std::uint32_t live_mode = 0644) {
    write("root/root.ini",
          "[module]\npath = /srv/root\ndepends = lib\n[config_files]\nlocal.conf = local.conf\n"
          "[plugin:tests.handlers]\n");
    write("root/config/testing/local.conf", "debug = yes\nDB_PASS = canary-new\n");
    hosts.files["/srv/root/current/local.conf"] = {"debug = no\nDB_PASS = canary-old\n", live_mode};
    const auto drifted = [](tests::FakeHosts::Site& site) {
      site.drift = 1;
      site.differences[""] = {{protocol::DifferenceKind::changed, "local.conf", "content"}};
      site.tree = sync::Tree();
      site.tree->identity = sync::Identity::with_mtime;
      site.tree->folders.emplace_back();
      sync::Entry entry;
      entry.name = "local.conf";
      site.tree->folders[0].entries = {entry};
      site.tree->seal_digests();
    };
    for (const char* host : {"one", "two"})
      hosts.change(host, "/srv/root", drifted);
  }
  std::string shown() {
    REQUIRE(plan() == ExitCode::ok);
    const auto plans = events.of<event::Planned>();
    REQUIRE(plans.size() == 4);
    return base::join(plans[2].config_changes, "\n");
  }
};

}  // namespace

TEST_CASE("a plan shows which settings of config files change, and values only when they are simple") {
  ConfigPlan run;
  CHECK(run.shown() == "local.conf:2: DB_PASS changed\nlocal.conf:1: debug: no -> yes");
  run.hosts.files["/srv/root/current/local.conf"].kind = protocol::PathKind::folder;
  CHECK(run.shown() == "local.conf: a folder is live there, and gives way to a file");
}

TEST_CASE("a plan shows no value of a config file that is nobody else's business") {
  const bool live = GENERATE(true, false);
  ConfigPlan run(live ? 0600 : 0644);
  const std::filesystem::path source = run.request.directory / "root/config/testing/local.conf";
  if (!live) std::filesystem::permissions(source, std::filesystem::perms(0600));
  CHECK(run.shown() == "local.conf:2: DB_PASS changed\nlocal.conf:1: debug changed");
}

TEST_CASE(
    "where an optional config file is not there, the source's own file is none of a plan's config files") {
  Planning run;
  run.write("root/root.ini",
            "[module]\npath = /srv/root\ndepends = lib\n[config_files]\npage.html? = mine.html\n"
            "[plugin:tests.handlers]\n");
  run.write("root/src/page.html", "good bye\n");
  CHECK(run.plan() == ExitCode::ok);
  const auto plans = run.events.of<event::Planned>();
  REQUIRE(plans.size() == 4);
  CHECK(plans[2].paths == Names{"+ page.html"});
  CHECK(plans[2].config_changes.empty());
}

TEST_CASE("a deploy that is held to its plan goes through while nothing has changed") {
  Planning run;
  run.write("root/src/page.html", "good bye\n");
  REQUIRE(run.plan("plan.json") == ExitCode::ok);
  CHECK(run.deploy_planned() == ExitCode::ok);
  CHECK(run.deploy_planned() == ExitCode::refused);  // it has been carried out
  CHECK_THAT(run.failure(), Contains("P444") && Contains("is live, it was"));
}

TEST_CASE("a plan that something changed since is refused, by name, before anything is staged") {
  Planning run;
  run.write("root/src/page.html", "good bye\n");
  REQUIRE(run.plan("plan.json") == ExitCode::ok);
  std::string what;
  SECTION("the source") {
    run.write("root/src/page.html", "good night\n");
    what = "root on one: the source changed";
  }
  SECTION("a setting") {
    run.write(
        "root/root.ini",
        "[module]\npath = /srv/root\ndepends = lib\n[shared]\npaths = uploads/\n[plugin:tests.handlers]\n");
    what = "root on one: ";
  }
  SECTION("the target") {
    run.hosts.change("two", "/srv/root", [](tests::FakeHosts::Site& site) {
      site.sealed["20261121T080000Z-0b0b"] = site.sealed[site.current];
      site.current = site.sealed["20261121T080000Z-0b0b"].release_id = "20261121T080000Z-0b0b";
    });
    what = "root on two: 20261121T080000Z-0b0b is live, it was ";
  }
  SECTION("the hosts") {
    run.request.hosts = {"one"};
    what = "root on two: is in the plan, and would not be deployed";
  }
  SECTION("the modules") {
    run.request.modules = {"lib"};
    what = "root on two: is in the plan, and would not be deployed";
  }
  SECTION("--force") {
    run.request.force = {"lib"};
    what = "lib on one: the plan does not force it";
  }
  SECTION("--adopt") {
    run.request.adopt = true;
    what = "the plan was made without --adopt";
  }
  SECTION("another config") {
    run.write("project.ini",
              "[project]\nname = Shop\ndepends = root\n"
              "[hosts]\none = ann@one.example.org\ntwo = ann@two.example.org\n"
              "[config:testing]\nhosts = one, two\n[config:production]\nhosts = one, two\n");
    run.request.config = "production";
    what = "the plan is one of config \"testing\", and this is \"production\"";
  }
  SECTION("arguments of plugins") {
    run.request.plugin_arguments = {{"level", "hunter2"}};
    what = "the plan was made with other arguments for plugins";
  }
  SECTION("the machine") {
    run.write("project.ini",
              "[project]\nname = Shop\ndepends = root\n"
              "[hosts]\none = ann@one.example.org\ntwo = bob@two.example.net:2022\n"
              "[config:testing]\nhosts = one, two\n");
    what = "lib on two: is bob@two.example.net:2022 now, it was ann@two.example.org";
  }
  CHECK(run.deploy_planned() == ExitCode::refused);
  Names told;
  for (const auto& failure : run.events.of<event::Failure>())
    told.push_back(failure.text);
  CHECK(std::any_of(told.begin(), told.end(), [&](const std::string& text) {
    return text.find(what) != std::string::npos && text.find("P444") != std::string::npos;
  }));
  CHECK(run.hosts.count(" stage ") == 0);
}

TEST_CASE("a dry run is held to a plan as the deploy is, and shown") {
  Planning run;
  run.write("root/src/page.html", "good bye\n");
  REQUIRE(run.plan("plan.json") == ExitCode::ok);
  run.request.plan_file = "plan.json";
  CHECK(run.plan() == ExitCode::ok);
  run.write("root/src/page.html", "good night\n");
  CHECK(run.plan() == ExitCode::refused);
  CHECK_THAT(run.failure(), Contains("the source changed"));
  CHECK(run.events.of<event::Planned>().size() == 4);
}

TEST_CASE("a plan that is not there is told before anybody waits for anything") {
  Planning run;
  run.write("root/src/page.html", "good bye\n");
  run.request.dry_run = GENERATE(false, true);
  run.request.plan_file = "plna.json";
  run.hosts.forget_steps();
  CHECK(run.deploy() == ExitCode::usage);
  CHECK_THAT(run.failure(), Contains("plna.json"));
  CHECK(run.hosts.steps().empty());
  run.request.plan_file = "root";
  CHECK(run.deploy() == ExitCode::usage);
  CHECK_THAT(run.failure(), Contains("/root: is a folder, a file is expected"));
}

TEST_CASE("a plan made with flags is kept by a deploy with the same ones") {
  Planning run;
  run.request.force = {"lib"};
  run.request.plugin_arguments = {{"level", "hunter2"}};
  REQUIRE(run.plan("plan.json") == ExitCode::ok);
  CHECK_THAT(base::read_file(run.plan_file()), !Contains("hunter2"));
  CHECK(run.deploy_planned() == ExitCode::ok);
}

TEST_CASE("a plan that was changed by hand is refused, and one that was only laid out anew is not") {
  Planning run;
  run.write("root/src/page.html", "good bye\n");
  REQUIRE(run.plan("plan.json") == ExitCode::ok);
  std::string text = base::read_file(run.plan_file());
  SECTION("changed") {
    const std::size_t at = text.find("\"one\"");
    REQUIRE(at != std::string::npos);
    base::write_file(run.plan_file(), text.replace(at, 5, "\"two\""));
    CHECK(run.deploy_planned() == ExitCode::usage);
    CHECK_THAT(run.failure(), Contains("plan.json") && Contains("not as it was written"));
    CHECK(run.hosts.steps().empty());
  }
  SECTION("laid out anew") {
    std::erase(text, '\n');
    base::write_file(run.plan_file(), text);
    CHECK(run.deploy_planned() == ExitCode::ok);
  }
}

TEST_CASE("what is no plan is refused, and says how one is made") {
  Planning run;
  run.write("root/src/page.html", "good bye\n");
  const auto text =
      GENERATE(as<std::string>(), "", "[]", "{\"porter_plan\": 99}", "{\"porter_plan\": 1}",
               "{\"porter_plan\": 1, \"targets\": [1]}",
               "{\"digest\": \"\", \"porter_plan\": 1, \"deep\": " + std::string(1'000'000, '[') +
                   std::string(1'000'000, ']') + "}");
  base::write_file(run.plan_file(), text);
  CHECK(run.deploy_planned() == ExitCode::usage);
  CHECK_THAT(run.failure(), Contains("plan.json"));
  CHECK(run.hosts.count(" stage ") == 0);
}
