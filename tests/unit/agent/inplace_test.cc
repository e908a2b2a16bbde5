#include "core/agent/inplace.h"

#include "core/agent/failpoint.h"
#include "tests/support/catch.h"
#include "tests/unit/agent/site_fixture.h"

namespace porter::agent {
namespace {

using base::Code;
using base::TemporaryFolder;
using namespace testing;  // NOLINT

const Wants kOld = {{"app", folder()},
                    {"app/main.py", file("print(1)\n", 0755)},
                    {"app/same.txt", file("the same\n")},
                    {"app/latest", link("main.py")},
                    {"kind", folder()},
                    {"kind/file", file("in a folder\n")},
                    {"other", file("a file\n")},
                    {"points", link("app")},
                    {"gone", folder(0750)},
                    {"gone/file", file("soon gone\n", 0600)}};
const Wants kNew = {{"app", folder(0700)},
                    {"app/main.py", file("print(2)\n", 0644)},
                    {"app/same.txt", file("the same\n")},
                    {"app/latest", link("same.txt")},
                    {"kind", file("now a file\n")},
                    {"other", folder()},
                    {"other/file", file("now in a folder\n")},
                    {"points", folder()},
                    {"points/back", link("../app")},
                    {"points/deep", folder()},
                    {"points/deep/file", file("not in app\n")}};

Listing with(Listing all, const Listing& more) {
  all.insert(more.begin(), more.end());
  return all;
}

Site prepared(const TemporaryFolder& temporary, Adopt adopt = Adopt::no) {
  Site site = Site::open(temporary.path() / "site", Layout::inplace);
  REQUIRE_FALSE(site.prepare(options(adopt)));
  return site;
}

}  // namespace

TEST_CASE("an inplace site changes only what differs and leaves unknown files alone") {
  const TemporaryFolder temporary;
  Site site = prepared(temporary);
  deploy(site, "r1", kOld);
  CHECK(list_folder(site.path()) == listing_of(kOld));
  CHECK_FALSE(site.look().drift.any());
  base::write_file(site.path() + "/gone/upload", "from a user");
  const Listing unknown = {{"gone", "folder:0750"}, {"gone/upload", "file:0644:from a user"}};
  const ino_t same = Beneath::open(site.path()).look("app/same.txt")->st_ino;
  Stage stage = site.begin_stage("r2", "run2");
  CHECK(fill(stage, kNew) == 4);
  stage.seal({});
  CHECK(list_folder(site.path()) == with(listing_of(kOld), unknown));
  site.activate("r2", "run2");
  CHECK(list_folder(site.path()) == with(listing_of(kNew), unknown));
  CHECK(Beneath::open(site.path()).look("app/same.txt")->st_ino == same);
  CHECK_FALSE(site.look().drift.any());
  SECTION("and goes back before the commit") {
    site.revert("r2");
    site.revert("r2");
    CHECK(site.look().current == "r1");
  }
  SECTION("and goes back one deploy after the commit") {
    site.commit("r2", 5);
    CHECK(fs::is_empty(site.path() + "/.porter/staging"));
    site.revert("r2");
    CHECK(site.look().current == "r1");
    CHECK(code_of([&] { site.revert("r1"); }) == Code::refused);
  }
  CHECK(list_folder(site.path()) == with(listing_of(kOld), unknown));
  CHECK_FALSE(site.look().drift.any());
  CHECK(fs::is_empty(site.path() + "/.porter/undo"));
}

TEST_CASE("the first inplace deploy adopts files that are there and goes back to them") {
  const TemporaryFolder temporary;
  fs::create_directories(temporary.path() / "site/app");
  base::write_file(temporary.path() / "site/app/main.py", "by hand\n");
  base::write_file(temporary.path() / "site/app/same.txt", "the same\n");
  base::write_file(temporary.path() / "site/notes", "keep me");
  const Listing before = list_folder(temporary.path() / "site");
  CHECK(code_of([&] { Site::open(temporary.path() / "site", Layout::inplace).prepare(options()); }) ==
        Code::refused);
  Site site = prepared(temporary, Adopt::yes);
  Stage stage = site.begin_stage("r1", "run1");
  stage.set_wanted(make_tree(kOld));
  CHECK(stage.open_basis(*stage.wanted().find_ref("app/main.py")));
  CHECK(fill(stage, kOld) == 4);
  stage.seal({});
  site.activate("r1", "run1");
  CHECK(list_folder(site.path()) == with(listing_of(kOld), {{"notes", "file:0644:keep me"}}));
  site.revert("r1");
  CHECK(list_folder(site.path()) == before);
}

TEST_CASE("an inplace activation that nobody committed leaves no mark behind the next one") {
  const TemporaryFolder temporary;
  Site site = prepared(temporary, Adopt::no);
  for (const auto& [id, wants] : {std::pair{"r1", kOld}, std::pair{"r2", kNew}}) {
    Stage stage = site.begin_stage(id, "run");
    fill(stage, wants);
    stage.seal({});
    site.activate(id, "run");
  }
  site.commit("r2", 1);
  CHECK(site.look().leftovers == 0);
  CHECK(fs::is_empty(site.path() + "/.porter/staging"));
}

TEST_CASE("unknown files are removed only when told so, and come back with a revert") {
  const TemporaryFolder temporary;
  Site site = prepared(temporary);
  deploy(site, "r1", kOld);
  fs::create_directories(site.path() + "/logs/deep");
  base::write_file(site.path() + "/logs/deep/today", "log");
  const Listing before = list_folder(site.path());
  send(site, "r2", kNew);
  site.activate("r2", "run2", Unknown::remove);
  CHECK(list_folder(site.path()) == listing_of(kNew));
  site.revert("r2");
  CHECK(list_folder(site.path()) == before);
}

TEST_CASE(
    "what came since where another kind of entry stood is moved aside, and nothing stops the way back") {
  const TemporaryFolder temporary;
  Site site = prepared(temporary);
  deploy(site, "r1", kOld);
  send(site, "r2", kNew);
  site.activate("r2", "run2");
  base::write_file(site.path() + "/other/log", "from the application");
  base::write_file(site.path() + "/points/log", "from the application");
  // As `sed -i` does it.
  base::write_file(site.path() + "/kind.new", "changed by a handler", 0600);
  fs::rename(site.path() + "/kind.new", site.path() + "/kind");
  site.revert("r2");
  CHECK(list_folder(site.path()) ==
        with(listing_of(kOld), {{"other.porter-r2", "folder:0755"},
                                {"other.porter-r2/log", "file:0644:from the application"},
                                {"points.porter-r2", "folder:0755"},
                                {"points.porter-r2/log", "file:0644:from the application"},
                                {"kind.porter-r2", "file:0600:changed by a handler"}}));
  CHECK(site.look().current == "r1");
  CHECK_FALSE(site.look().drift.any());
  CHECK(site.look().leftovers == 0);
}

TEST_CASE("a rollback in place brings back everything, and what ran before when it fails") {
  const TemporaryFolder temporary;
  Site site = prepared(temporary);
  deploy(site, "r1", kOld);
  fs::create_directories(site.path() + "/logs/deep");
  base::write_file(site.path() + "/logs/deep/today", "log");
  const Listing before = list_folder(site.path());
  send(site, "r2", kNew);
  site.activate("r2", "run2", Unknown::remove);
  site.commit("r2", 5);
  const Listing between = list_folder(site.path());
  site.activate("r1", "back");
  CHECK(list_folder(site.path()) == before);
  CHECK(site.look().current == "r1");
  CHECK_FALSE(site.look().drift.any());
  SECTION("it fails, and can be tried again") {
    // Also by a settler, with a connection of its own.
    site.release_lock();
    REQUIRE_FALSE(site.prepare(options()));
    CHECK(site.look().pending);
    site.revert("r1", "health check");
    CHECK(list_folder(site.path()) == between);
    CHECK(site.look().current == "r2");
    CHECK_FALSE(site.look().drift.any());
    CHECK(site.look().leftovers == 0);
    site.activate("r1", "back again");
    CHECK(list_folder(site.path()) == before);
  }
  SECTION("it stays, and the next deploy follows it") {
    site.commit("r1", 5, {"rollback", "", ""});
    CHECK(site.look().leftovers == 0);
    deploy(site, "r3", kNew);
    CHECK(site.look().releases.size() == 2);
    CHECK(code_of([&] { site.activate("r2", "too far"); }) == Code::refused);
    site.activate("r1", "back");
    CHECK_FALSE(site.look().drift.any());
  }
}

TEST_CASE("a rollback in place that somebody's files stop changes nothing, and can be tried again") {
  const TemporaryFolder temporary;
  Site site = prepared(temporary);
  deploy(site, "r1", kOld);
  deploy(site, "r2", kNew);
  // r1 has a folder "kind" where r2 has a file, and a file "other" where r2 has a folder.
  base::write_file(site.path() + "/other/precious", "from a user");
  const Listing before = list_folder(site.path());
  CHECK(code_of([&] { site.activate("r1", "back"); }) == Code::refused);
  CHECK(list_folder(site.path()) == before);
  CHECK(site.look().current == "r2");
  CHECK_FALSE(site.look().drift.any());
  fs::remove(site.path() + "/other/precious");
  site.activate("r1", "back");
  CHECK(list_folder(site.path()) == listing_of(kOld));
}

TEST_CASE("an unknown folder in a file's way stops the activation and the old tree stays") {
  const TemporaryFolder temporary;
  Site site = prepared(temporary);
  deploy(site, "r1", kOld);
  base::write_file(site.path() + "/kind/precious", "from a user");
  const Listing before = list_folder(site.path());
  send(site, "r2", kNew);
  CHECK(code_of([&] { site.activate("r2", "run2"); }) == Code::refused);
  CHECK(list_folder(site.path()) == before);
  CHECK(site.look().current == "r1");
  site.revert("r2");
  site.release_lock();
  CHECK_FALSE(site.prepare(options()));
  CHECK(list_folder(site.path()) == before);
}

TEST_CASE("after handlers changed an inplace tree, its seal describes it again") {
  const TemporaryFolder temporary;
  Site site = prepared(temporary);
  send(site, "r1", kOld);
  site.activate("r1", "run1");
  base::write_file(site.path() + "/app/main.py", "rendered\n", 0755);
  fs::remove(site.path() + "/other");
  CHECK(site.look().drift.changed == 1);
  CHECK(site.look().drift.missing == 1);
  site.reseal("r1");
  CHECK_FALSE(site.look().drift.any());
  CHECK(site.base()->tree.find("other") == nullptr);
  CHECK(site.base()->tree.find("app/main.py")->digest == base::sha256("rendered\n"));
}

TEST_CASE("a folder that interrupted undoing made again, with the inode of the file before, stays") {
  const TemporaryFolder temporary;
  const Site site = prepared(temporary);
  fs::create_directory(site.path() + "/kind");
  const SiteFolders folders(Beneath::open(site.path()), Beneath::open(site.path() + "/.porter"),
                            Layout::inplace, Durability::none, std::make_shared<SealStore>());
  Operation gone;
  gone.what = Operate::clear_folder;
  gone.path = "kind";
  gone.old_mode = S_IFDIR | 0755U;
  Operation put;
  put.path = "kind";
  put.inode = folders.root.look("kind")->st_ino;
  write_operations(folders, "r1", {gone, put});
  undo_switch(folders, "r1");
  CHECK(fs::is_directory(site.path() + "/kind"));
}

TEST_CASE("an inplace tree may not write where the site keeps its own files") {
  const TemporaryFolder temporary;
  Site site = prepared(temporary);
  Stage stage = site.begin_stage("r1", "run1");
  CHECK(code_of([&] {
          stage.set_wanted(make_tree({{".porter", folder()}, {".porter/lock", file("x")}}));
        }) == Code::refused);
}

}  // namespace porter::agent
