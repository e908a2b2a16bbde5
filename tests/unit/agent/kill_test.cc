// The store's promise: whatever moment the agent is killed at, what is live is the old tree or the new one,
// and the next run finds and leaves nothing of the killed one. Every named moment of a whole deploy is tried.
#include <sys/wait.h>

#include <set>

#include "core/agent/failpoint.h"
#include "core/base/subprocess.h"
#include "tests/support/catch.h"
#include "tests/unit/agent/outside_fixture.h"

namespace porter::agent {
namespace {

using base::TemporaryFolder;
using namespace testing;  // NOLINT

const Wants kOld = {{"a", folder()},
                    {"a/changes", file("old\n")},
                    {"a/same", file("same\n")},
                    {"a/link", link("same")},
                    {"b", folder(0555)},
                    {"b/goes", file("bye\n")},
                    {"turns", folder()},
                    {"turns/inside", file("was\n")},
                    {"unfolds", file("flat\n")},
                    {"points", link("a")},
                    {"mode", file("x\n", 0600)}};
const Wants kNew = {{"a", folder(0700)},
                    {"a/changes", file("new content\n")},
                    {"a/same", file("same\n")},
                    {"a/link", link("changes")},
                    {"a/new", file("fresh\n")},
                    {"turns", file("a file\n")},
                    {"unfolds", folder()},
                    {"unfolds/leaf", file("thin\n")},
                    {"points", folder(0700)},
                    {"points/deep", folder()},
                    {"points/deep/leaf", file("here\n")},
                    {"mode", file("x\n", 0644)},
                    {"c", folder()},
                    {"c/d", file("deep\n")}};

int steps_left = 0;
void die_at_step(const char*) {
  if (--steps_left == 0) ::_exit(9);
}

// Runs `work` in a child that dies at the n-th moment; true when it got to its end.
bool survives(int n, const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    steps_left = n;
    fail_point = die_at_step;
    try {
      work();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "child: %s\n", error.what());
      ::_exit(3);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFEXITED(status));
  REQUIRE((WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 9));
  return WEXITSTATUS(status) == 0;
}

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  if (!fs::exists(folder)) return names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.insert(entry.path().filename().string());
  return names;
}

std::set<std::string> ids_of(const SiteState& state) {
  std::set<std::string> ids;
  for (const SealedRelease& release : state.releases)
    ids.insert(release.id);
  return ids;
}

// Nothing in .porter but what belongs to the releases `ids`.
void check_no_strays(const std::string& path, const std::set<std::string>& ids, Layout layout) {
  const fs::path porter = fs::path(path) / ".porter";
  CHECK(names_in(porter / "manifests") == ids);
  CHECK(names_in(porter / "trash").empty());
  for (const std::string& name : names_in(porter)) {
    const std::set<std::string> known = {
        "format", "lock", "manifests", "staging", "undo",      "trash", "journal",    "history",    "live",
        "pinned", "bad",  "frozen",    "outside", "forgotten", "spare", "spare.seal", "interrupted"};
    CAPTURE(name);
    CHECK(known.count(name) == 1);
  }
  if (layout == Layout::inplace) return;
  CHECK(names_in(fs::path(path) / "releases") == ids);
  for (const std::string& name : names_in(path)) {
    CAPTURE(name);
    CHECK((name == ".porter" || name == "current" || name == "releases"));
  }
}

Listing live_listing(const Site& site) {
  return list_folder(site.live_path() + "/");
}

// With times and modes; only inodes and times of change are others, so that files are hashed where a stamp
// would have done.
void copy_site(const fs::path& from, const fs::path& to) {
  base::Command command;
  command.arguments = {"cp", "-a", from.string(), to.string()};
  REQUIRE(base::run_command(command, base::Deadline::never(), {}).ok());
}

struct Outcomes {
  int kills = 0;
  int olds = 0;
  int news = 0;
};

// Deploys r1, is killed at the n-th moment of deploying r2, and looks at what the next run finds; for every
// n.
Outcomes kill_everywhere(Layout layout, const std::function<void(Site&)>& second, const Listing& goal) {
  const OrdinaryUser user;
  Outcomes outcomes;
  const TemporaryFolder model;
  {
    Site site = Site::open(model.path() / "site", layout, Durability::none);
    site.prepare(options());
    deploy(site, "r1", kOld);
  }
  for (int n = 1;; ++n) {
    CAPTURE(n);
    const TemporaryFolder temporary;
    const std::string path = temporary.path() / "site";
    copy_site(model.path() / "site", path);
    const bool done = survives(n, [&] {
      Site site = Site::open(path, layout, Durability::none);
      site.prepare(options());
      second(site);
    });
    Site site = Site::open(path, layout, Durability::none);
    // What a visitor finds right now. Layout inplace promises it per file only, and after settling per tree.
    if (layout == Layout::releases) {
      const Listing now = live_listing(site);
      CHECK((now == listing_of(kOld) || now == goal));
    }
    REQUIRE_FALSE(site.prepare(options()));
    const SiteState state = site.look();
    const Listing live = live_listing(site);
    CHECK(live == (state.current == "r2" ? goal : listing_of(kOld)));
    CHECK_FALSE(state.drift.any());
    CHECK_FALSE(state.seal_damaged);
    std::set<std::string> ids = {state.current};
    if (state.current == "r2") ids.insert("r1");
    check_no_strays(path, ids, layout);
    outcomes.olds += state.current == "r1" ? 1 : 0;
    outcomes.news += state.current == "r2" ? 1 : 0;
    // And the next deploy needs no help. (Sealing waits for the clock, so not every time.)
    if (done || n % 4 == 0) {
      deploy(site, "r3", kNew);
      CHECK(live_listing(site) == listing_of(kNew));
      CHECK_FALSE(fs::exists(path + "/.porter/interrupted"));
    }
    if (done) return outcomes;
    ++outcomes.kills;
  }
}

}  // namespace

TEST_CASE("killed at any moment of a deploy into releases, the site is the old or the new release") {
  const Outcomes outcomes = kill_everywhere(
      Layout::releases, [](Site& site) { deploy(site, "r2", kNew); }, listing_of(kNew));
  CHECK(outcomes.kills > 30);
  CHECK(outcomes.olds > 10);
  CHECK(outcomes.news > 3);
}

TEST_CASE("killed at any moment of an inplace deploy, the next run has the old or the new tree") {
  const Outcomes outcomes = kill_everywhere(
      Layout::inplace, [](Site& site) { deploy(site, "r2", kNew); }, listing_of(kNew));
  CHECK(outcomes.kills > 40);
  CHECK(outcomes.olds > 20);
  CHECK(outcomes.news > 3);
}

TEST_CASE("killed at any moment of a deploy that goes on where one was interrupted, the same holds") {
  for (const Layout layout : {Layout::releases, Layout::inplace}) {
    const Outcomes outcomes = kill_everywhere(
        layout,
        [](Site& site) {
          send_part(site, "half", kNew, 3);
          deploy_rest(site, "r2", kNew);
        },
        listing_of(kNew));
    CHECK(outcomes.kills > 50);
    CHECK(outcomes.olds > 20);
    CHECK(outcomes.news > 3);
  }
}

TEST_CASE("killed at any moment of going back, the site is the old or the new release") {
  for (const Layout layout : {Layout::releases, Layout::inplace}) {
    const Outcomes outcomes = kill_everywhere(
        layout,
        [](Site& site) {
          send(site, "r2", kNew);
          site.activate("r2", "run2");
          site.revert("r2");
        },
        listing_of(kNew));
    CHECK(outcomes.kills > 30);
    CHECK(outcomes.news > 0);
  }
}

TEST_CASE("killed at any moment of a deploy that fails, the failed release is bad, or gone, and never live") {
  const OrdinaryUser user;
  const TemporaryFolder model;
  {
    Site site = Site::open(model.path() / "site", Layout::releases, Durability::none);
    site.prepare(options());
    deploy(site, "r1", kOld);
    send(site, "r2", kOld);
    site.activate("r2", "run2");
    site.revert("r2", "the first that failed");
  }
  int quarantined = 0;
  int pending = 0;
  for (int n = 1;; ++n) {
    CAPTURE(n);
    const TemporaryFolder temporary;
    const std::string path = temporary.path() / "site";
    copy_site(model.path() / "site", path);
    const bool done = survives(n, [&] {
      Site site = Site::open(path, Layout::releases, Durability::none);
      site.prepare(options());
      send(site, "r3", kNew);
      site.activate("r3", "run3");
      site.revert("r3", "the second");
    });
    Site site = Site::open(path, Layout::releases, Durability::none);
    REQUIRE_FALSE(site.prepare(options()));
    const SiteState state = site.look();
    const std::set<std::string> ids = ids_of(state);
    CHECK(state.leftovers == 0);
    CHECK(live_listing(site) == listing_of(state.current == "r3" ? kNew : kOld));
    check_no_strays(path, ids, Layout::releases);
    std::set<std::string> bad;
    for (const protocol::BadRelease& release : state.bad)
      bad.insert(release.release_id);
    CHECK(bad.count(state.current) == 0);
    // Live and not marked: going back had not begun.
    if (state.current == "r3") {
      CHECK(bad == std::set<std::string>{"r2"});
      CHECK(state.pending);
      ++pending;
    } else {
      CHECK((bad == std::set<std::string>{"r2"} || bad == std::set<std::string>{"r3"}));
      CHECK(ids.count("r3") == bad.count("r3"));
    }
    if (bad.count("r3") != 0) {
      ++quarantined;
      CHECK(list_folder(path + "/releases/r3") == listing_of(kNew));
      CHECK(site.history().back().action == "revert");
      CHECK(site.history().back().message == "the second");
    }
    if (done) break;
  }
  CHECK(quarantined > 8);
  CHECK(pending > 1);
}

TEST_CASE("killed at any moment of marking and freezing, each mark is there or not") {
  const OrdinaryUser user;
  const TemporaryFolder model;
  {
    Site site = Site::open(model.path() / "site", Layout::releases, Durability::none);
    site.prepare(options());
    deploy(site, "r1", kOld);
    deploy(site, "r2", kOld);
  }
  int kills = 0;
  for (int n = 1;; ++n) {
    CAPTURE(n);
    const TemporaryFolder temporary;
    const std::string path = temporary.path() / "site";
    copy_site(model.path() / "site", path);
    const bool done = survives(n, [&] {
      Site site = Site::open(path, Layout::releases, Durability::none);
      site.prepare(options());
      site.mark("r1", protocol::Mark::pinned);
      site.mark("r1", protocol::Mark::bad, "slow");
      site.freeze({"production", "party", "", ""});
      site.mark("r1", protocol::Mark::unpinned);
      site.unfreeze("production");
    });
    Site site = Site::open(path, Layout::releases, Durability::none);
    REQUIRE_FALSE(site.prepare(options()));
    const SiteState state = site.look();
    CHECK(ids_of(state) == std::set<std::string>{"r1", "r2"});
    if (!state.bad.empty()) CHECK(state.bad[0].reason == "slow");
    if (!state.frozen.empty()) CHECK(state.frozen[0].reason == "party");
    CHECK(state.leftovers == 0);
    check_no_strays(path, {"r1", "r2"}, Layout::releases);
    if (done) break;
    ++kills;
  }
  CHECK(kills > 8);
}

namespace {

// A site and the outside, in which r1 and r2 are deployed; r2 is live.
void deploy_two(const fs::path& at, Layout layout) {
  fs::create_directories(at / "etc");
  base::write_file(at / "etc/both", "by hand", 0600);
  Site site = Site::open(at / "site", layout, Durability::none);
  site.prepare(options());
  for (const std::string id : {"r1", "r2"}) {
    send(site, id, id == "r1" ? kOld : kNew);
    install(site, id, at / "etc/both", id);
    if (id == "r2") install(site, id, at / "etc/new/only", id);
    site.place_files(id);
    site.activate(id, "run-" + id);
    site.commit(id, 5);
  }
}

// Names and modes of the outside, without the log of what was undone.
Listing outside_of(const fs::path& at) {
  Listing all = list_folder(at / "etc");
  all.erase("log");
  return all;
}

// Kills `work` at its every moment, then settles. What is outside belongs to the release that is live, and
// nothing else is left. `outside` tells what belongs to each; gives how often each was live.
std::map<std::string, int> kill_outside(Layout layout,
                                        const std::function<void(Site&, const fs::path&)>& work,
                                        const std::map<std::string, Listing>& outside,
                                        const std::function<void(Site&, const fs::path&)>& then = {}) {
  const OrdinaryUser user;
  std::map<std::string, int> lives;
  const TemporaryFolder temporary;
  const fs::path model = temporary.path() / "model";
  const fs::path at = temporary.path() / "at";
  // The paths of what is outside are in the lists: the copy takes the place of the first.
  deploy_two(at, layout);
  fs::rename(at, model);
  for (int n = 1;; ++n) {
    CAPTURE(n);
    base::remove_tree(at);
    // Going back in place tells its files by their inodes.
    if (layout == Layout::inplace)
      deploy_two(at, layout);
    else
      copy_site(model, at);
    const bool done = survives(n, [&] {
      Site site = Site::open(at / "site", layout, Durability::none);
      site.prepare(options());
      work(site, at);
    });
    Site site = Site::open(at / "site", layout, Durability::none);
    REQUIRE_FALSE(site.prepare(options()));
    const SiteState state = site.look(CheckDrift::no);
    CHECK(outside_of(at) == outside.at(state.current));
    CHECK(live_listing(site) == listing_of(state.current == "r1" ? kOld : kNew));
    CHECK(state.leftovers == 0);
    // A step of a release that is taken back, or of none that stays.
    if (state.current == "r3") CHECK_FALSE(fs::exists(at / "etc/log"));
    check_no_strays(at / "site", ids_of(state), layout);
    for (const std::string& id : names_in(at / "site/.porter/outside"))
      CHECK(ids_of(state).count(id) == 1);
    ++lives[state.current];
    if (then && (done || n % 4 == 0)) then(site, at);
    if (done) return lives;
  }
}

const Listing kOutside1 = {{"both", "file:0600:r1"}};
const Listing kOutside2 = {{"both", "file:0600:r2"}, {"new", "folder:0755"}, {"new/only", "file:0644:r2"}};

protocol::RunRequest note_undo(const fs::path& at) {
  return log_word(at / "etc", "undone");
}

}  // namespace

TEST_CASE("killed at any moment of a deploy with files outside, these belong to what is live") {
  const Listing third = {{"both", "file:0600:r3"},
                         {"new", "folder:0755"},
                         {"new/only", "file:0644:r2"},
                         {"more", "folder:0755"},
                         {"more/late", "file:0644:r3"}};
  for (const Layout layout : {Layout::releases, Layout::inplace}) {
    const auto lives = kill_outside(layout,
                                    [](Site& site, const fs::path& at) {
                                      Stage stage = site.begin_stage("r3", "run3");
                                      site.add_undo("r3", note_undo(at));
                                      install(site, "r3", at / "etc/both", "r3");
                                      install(site, "r3", at / "etc/more/late", "r3");
                                      fill(stage, kNew);
                                      stage.seal({});
                                      site.place_files("r3");
                                      site.activate("r3", "run3");
                                      site.commit("r3", 5);
                                    },
                                    {{"r2", kOutside2}, {"r3", third}});
    CHECK(lives.at("r2") > 40);
    CHECK(lives.at("r3") > 3);
  }
}

TEST_CASE("killed at any moment of a deploy with files outside that is taken back, nothing of it stays") {
  for (const Layout layout : {Layout::releases, Layout::inplace}) {
    const auto lives = kill_outside(
        layout,
        [](Site& site, const fs::path& at) {
          send(site, "r3", kNew);
          install(site, "r3", at / "etc/both", "r3");
          site.place_files("r3");
          site.activate("r3", "run3");
          site.add_undo("r3", note_undo(at));
          site.revert("r3");
        },
        {{"r2", kOutside2},
         {"r3", {{"both", "file:0600:r3"}, {"new", "folder:0755"}, {"new/only", "file:0644:r2"}}}});
    CHECK(lives.at("r2") > 60);
    CHECK(lives.at("r3") > 2);
  }
}

TEST_CASE("killed at any moment of a rollback, what is outside belongs to what is live") {
  const auto lives = kill_outside(Layout::releases,
                                  [](Site& site, const fs::path& at) {
                                    site.add_undo("r1", note_undo(at));
                                    site.place_files("r1");
                                    site.activate("r1", "back");
                                    site.commit("r1", 5, {"rollback", "", ""});
                                  },
                                  {{"r1", kOutside1}, {"r2", kOutside2}});
  CHECK(lives.at("r2") > 30);
  CHECK(lives.at("r1") > 3);
}

TEST_CASE("killed at any moment of a rollback that is taken back, what is outside belongs to what is live") {
  const auto lives = kill_outside(Layout::releases,
                                  [](Site& site, const fs::path&) {
                                    site.place_files("r1");
                                    site.activate("r1", "back");
                                    site.revert("r1");
                                  },
                                  {{"r1", kOutside1}, {"r2", kOutside2}});
  CHECK(lives.at("r2") > 50);
  CHECK(lives.at("r1") > 1);
}

namespace {

void go_back(Site& site, const std::string& run) {
  site.place_files("r1");
  site.activate("r1", run);
}

// Whatever became of the killed one, the next gets there.
void go_back_again(Site& site, const fs::path& at) {
  if (site.look(CheckDrift::no).current == "r2") go_back(site, "again");
  CHECK(live_listing(site) == listing_of(kOld));
  CHECK(outside_of(at) == kOutside1);
  site.commit("r1", 5, {"rollback", "", ""});
  CHECK(names_in(at / "site/.porter/undo") == std::set<std::string>{"r1"});
}

}  // namespace

TEST_CASE(
    "killed at any moment of an inplace rollback, the older tree, the newer one, and the way are whole") {
  const auto lives = kill_outside(
      Layout::inplace,
      [](Site& site, const fs::path&) {
        go_back(site, "back");
        site.commit("r1", 5, {"rollback", "", ""});
      },
      {{"r1", kOutside1}, {"r2", kOutside2}}, go_back_again);
  CHECK(lives.at("r2") > 60);
  CHECK(lives.at("r1") > 5);
}

TEST_CASE(
    "killed at any moment of an inplace rollback that is taken back, what ran before runs, or the older") {
  const auto lives = kill_outside(
      Layout::inplace,
      [](Site& site, const fs::path&) {
        go_back(site, "back");
        site.revert("r1");
      },
      {{"r1", kOutside1}, {"r2", kOutside2}}, go_back_again);
  CHECK(lives.at("r2") > 90);
  CHECK(lives.at("r1") > 1);
}

TEST_CASE("killed at any moment of the first deploy, nothing or the release is live") {
  for (const Layout layout : {Layout::releases, Layout::inplace}) {
    const OrdinaryUser user;
    int kills = 0;
    for (int n = 1;; ++n) {
      CAPTURE(n);
      const TemporaryFolder temporary;
      const std::string path = temporary.path() / "srv" / "site";
      const bool done = survives(n, [&] {
        Site site = Site::open(path, layout, Durability::none);
        site.prepare(options());
        deploy(site, "r1", kOld);
      });
      Site site = Site::open(path, layout, Durability::none);
      CHECK(site.look().kind != SiteKind::foreign);
      REQUIRE_FALSE(site.prepare(options()));
      const std::string current = site.look().current;
      CHECK((current.empty() || current == "r1"));
      if (layout == Layout::inplace || current == "r1")
        CHECK(live_listing(site) == (current.empty() ? Listing() : listing_of(kOld)));
      check_no_strays(path, current.empty() ? std::set<std::string>() : std::set<std::string>{"r1"}, layout);
      if (done) break;
      ++kills;
    }
    CHECK(kills > 20);
  }
}

TEST_CASE("killed at any moment of pruning, every release that is listed is whole") {
  const OrdinaryUser user;
  const TemporaryFolder model;
  {
    Site site = Site::open(model.path() / "site", Layout::releases, Durability::none);
    site.prepare(options());
    for (const char* id : {"r1", "r2", "r3", "r4"})
      deploy(site, id, kOld);
  }
  for (int n = 1;; ++n) {
    CAPTURE(n);
    const TemporaryFolder temporary;
    const std::string path = temporary.path() / "site";
    copy_site(model.path() / "site", path);
    const bool done = survives(n, [&] {
      Site site = Site::open(path, Layout::releases, Durability::none);
      site.prepare(options());
      site.commit("r4", 2);
    });
    Site site = Site::open(path, Layout::releases, Durability::none);
    const auto check_whole = [&] {
      std::set<std::string> ids;
      for (const SealedRelease& release : site.look().releases) {
        ids.insert(release.id);
        CHECK(list_folder(path + "/releases/" + release.id) == listing_of(kOld));
      }
      CHECK(ids.count("r4") == 1);
      CHECK(ids.count("r3") == 1);
      return ids;
    };
    check_whole();
    REQUIRE_FALSE(site.prepare(options()));
    check_no_strays(path, check_whole(), Layout::releases);
    CHECK_FALSE(fs::exists(path + "/.porter/interrupted"));
    if (done) break;
  }
}

TEST_CASE("killed at any moment of adopting, the foreign folder or the new release is current") {
  for (int n = 1;; ++n) {
    CAPTURE(n);
    const TemporaryFolder temporary;
    const std::string path = temporary.path() / "site";
    fs::create_directories(path + "/current");
    base::write_file(path + "/current/index.html", "old site");
    const bool done = survives(n, [&] {
      Site site = Site::open(path, Layout::releases, Durability::none);
      site.prepare(options(Adopt::yes));
      send(site, "r1", kOld);
      site.activate("r1", "run7");
      site.revert("r1");
      send(site, "r2", kOld);
      site.activate("r2", "run8");
      site.commit("r2", 5);
    });
    const Listing old = {{"index.html", "file:0644:old site"}};
    const auto settled = [&] {
      const Listing live = list_folder(path + "/current/");
      return live == old || live == listing_of(kOld);
    };
    CHECK(settled());
    Site site = Site::open(path, Layout::releases, Durability::none);
    REQUIRE_FALSE(site.prepare(options(Adopt::yes)));
    CHECK(settled());
    std::string home;
    for (const std::string& name : names_in(path)) {
      const std::string index = path + "/" + name + "/index.html";
      if (fs::exists(index)) home += name + " ";
      CHECK(fs::exists(fs::path(path) / name));
    }
    CHECK((home == "current " || home == "current.before-porter-run7 " ||
           home == "current.before-porter-run8 "));
    if (done) break;
  }
}

}  // namespace porter::agent
