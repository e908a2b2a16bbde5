// Pinned and bad releases, releases whose deploy failed, and frozen configs.
#include "core/agent/marks.h"

#include "tests/support/catch.h"
#include "tests/unit/agent/site_fixture.h"

namespace porter::agent {
namespace {

using base::Code;
using base::TemporaryFolder;
using protocol::Mark;
using namespace testing;  // NOLINT

using Ids = std::vector<std::string>;

const Wants kTree = {{"a", file("a\n")}};
const Wants kOther = {{"a", file("b\n")}};

Site prepared(const TemporaryFolder& temporary, Layout layout = Layout::releases) {
  Site site = Site::open(temporary.path() / "site", layout, Durability::none);
  REQUIRE_FALSE(site.prepare(options()));
  return site;
}

Ids release_ids(const Site& site) {
  Ids ids;
  for (const SealedRelease& release : site.look().releases)
    ids.push_back(release.id);
  return ids;
}

Ids bad_releases(const Site& site) {
  Ids ids;
  for (const protocol::BadRelease& bad : site.look().bad)
    ids.push_back(bad.release_id);
  return ids;
}

void fail(Site& site, const std::string& id, const std::string& reason) {
  send(site, id, kOther);
  site.activate(id, "run-" + id);
  site.revert(id, reason);
}

}  // namespace

TEST_CASE("a pinned release is not pruned, does not count, and is not discarded") {
  const TemporaryFolder temporary;
  Site site = prepared(temporary);
  for (const char* id : {"r1", "r2", "r3"})
    deploy(site, id, kTree);
  site.mark("r1", Mark::pinned);
  site.mark("r1", Mark::pinned);
  CHECK(site.look().pinned == Ids{"r1"});
  deploy(site, "r4", kTree, 2);
  CHECK(release_ids(site) == Ids{"r1", "r3", "r4"});
  CHECK(code_of([&] { site.discard("r1"); }) == Code::refused);
  site.mark("r1", Mark::unpinned);
  site.mark("r1", Mark::unpinned);
  CHECK(site.look().pinned.empty());
  site.discard("r1");
  CHECK(release_ids(site) == Ids{"r3", "r4"});
}

TEST_CASE("marks are of sealed releases only, and go with them") {
  const TemporaryFolder temporary;
  Site site = prepared(temporary);
  deploy(site, "r1", kTree);
  send(site, "r2", kTree);
  CHECK(code_of([&] { site.mark("r2", Mark::pinned); }) == Code::missing);
  CHECK(code_of([&] { site.mark("r9", Mark::bad, "x"); }) == Code::missing);
  CHECK(code_of([&] { site.mark("../r1", Mark::bad, "x"); }) == Code::usage);
  site.activate("r2", "run2");
  site.commit("r2", 5);
  site.mark("r1", Mark::bad, "slow = 3 s\nand wrong");
  REQUIRE(site.look().bad.size() == 1);
  const protocol::BadRelease first = site.look().bad[0];
  CHECK(first.reason == "slow = 3 s\nand wrong");
  CHECK(first.since.size() > 10);
  site.mark("r1", Mark::bad, "slow = 3 s\nand wrong");
  CHECK(site.look().bad[0].since == first.since);
  site.mark("r1", Mark::pinned);
  site.mark("r1", Mark::unpinned);
  site.discard("r1");
  CHECK(fs::is_empty(site.path() + "/.porter/bad"));
  CHECK(fs::is_empty(site.path() + "/.porter/pinned"));
  site.mark("r2", Mark::bad, "x");
  site.mark("r2", Mark::good);
  CHECK(site.look().bad.empty());
}

TEST_CASE("a deploy that is taken back with a reason leaves one bad release until the next commit") {
  const TemporaryFolder temporary;
  Site site = prepared(temporary);
  deploy(site, "r1", kTree);
  fail(site, "r2", "health check: 503");
  site.revert("r2", "health check: 503");
  CHECK(site.look().current == "r1");
  CHECK_FALSE(site.look().pending);
  REQUIRE(site.look().bad.size() == 1);
  CHECK(site.look().bad[0].release_id == "r2");
  CHECK(site.look().bad[0].reason == "health check: 503");
  CHECK(list_folder(site.path() + "/releases/r2") == listing_of(kOther));
  CHECK(site.history().back().action == "revert");
  CHECK(site.history().back().message == "health check: 503");
  CHECK(site.history().back().who == "ada@laptop");
  CHECK(fs::is_empty(site.path() + "/.porter/staging"));
  SECTION("an older one goes when another comes") {
    fail(site, "r3", "again");
    CHECK(bad_releases(site) == Ids{"r3"});
    CHECK(release_ids(site) == Ids{"r1", "r3"});
  }
  SECTION("the next prepare() keeps it") {
    site.release_lock();
    CHECK(site.look().leftovers == 0);
    REQUIRE_FALSE(site.prepare(options()));
    CHECK(bad_releases(site) == Ids{"r2"});
  }
  SECTION("a commit removes it") {
    send(site, "r3", kTree);
    site.activate("r3", "run3");
    CHECK(site.commit("r3", 5).pruned == Ids{"r2"});
    CHECK(release_ids(site) == Ids{"r1", "r3"});
  }
  SECTION("a pinned one stays") {
    site.mark("r2", Mark::pinned);
    fail(site, "r3", "again");
    deploy(site, "r4", kTree, 1);
    CHECK(release_ids(site) == Ids{"r1", "r2", "r4"});
  }
  SECTION("found good after all, it is an ordinary release") {
    site.mark("r2", Mark::good);
    deploy(site, "r3", kTree);
    CHECK(release_ids(site) == Ids{"r1", "r2", "r3"});
  }
}

TEST_CASE("only a release that was live by its own deploy is kept as a bad one") {
  const TemporaryFolder temporary;
  Site site = prepared(temporary);
  deploy(site, "r1", kTree);
  SECTION("not one that was never activated") {
    send(site, "r2", kOther);
    site.revert("r2", "no reason to keep it");
    CHECK(release_ids(site) == Ids{"r1"});
  }
  SECTION("not without a reason") {
    fail(site, "r2", "");
    CHECK(release_ids(site) == Ids{"r1"});
  }
  SECTION("not one of an earlier deploy: a rollback that failed leaves it as it was") {
    deploy(site, "r2", kOther);
    site.activate("r1", "back");
    site.revert("r1", "it does not start any more");
    CHECK(site.look().current == "r2");
    CHECK(release_ids(site) == Ids{"r1", "r2"});
    CHECK(site.look().bad.empty());
    CHECK(site.history().back().message == "it does not start any more");
  }
}

TEST_CASE("an inplace deploy that is taken back leaves no bad release") {
  const TemporaryFolder temporary;
  Site site = prepared(temporary, Layout::inplace);
  deploy(site, "r1", kTree);
  fail(site, "r2", "health check");
  CHECK(release_ids(site) == Ids{"r1"});
  CHECK(site.look().bad.empty());
  CHECK(list_folder(site.path()) == listing_of(kTree));
  CHECK(site.history().back().message == "health check");
}

TEST_CASE("a bad release that was gone back to and is kept when its run died is good again") {
  const TemporaryFolder temporary;
  Site site = prepared(temporary);
  deploy(site, "r1", kTree);
  deploy(site, "r2", kOther);
  site.mark("r1", Mark::bad, "slow");
  site.activate("r1", "back");
  send(site, "r3", kOther);
  site.activate("r3", "run3");
  CHECK(site.look().bad.empty());
}

TEST_CASE("the live release is not removed, whatever is said of it") {
  const TemporaryFolder temporary;
  Site site = prepared(temporary);
  deploy(site, "r1", kTree);
  base::write_file(site.path() + "/.porter/bad/r1", "reason=x since=2026 failed=1 end\n");
  fail(site, "r2", "health check");
  CHECK(site.look().current == "r1");
  CHECK(list_folder(site.live_path() + "/") == listing_of(kTree));
  CHECK(release_ids(site) == Ids{"r1", "r2"});
}

TEST_CASE("bad releases do not take the place of good ones, and go by their age") {
  const TemporaryFolder temporary;
  Site site = prepared(temporary);
  for (const char* id : {"r1", "r2", "r3"})
    deploy(site, id, kTree);
  site.mark("r3", Mark::bad, "rolled back");
  site.activate("r2", "back");
  site.commit("r2", 2, {"rollback", "production", "r3 is slow"});
  CHECK(release_ids(site) == Ids{"r1", "r2", "r3"});
  const HistoryRecord last = site.history().back();
  CHECK(last.action == "rollback");
  CHECK(last.previous == "r3");
  CHECK(last.config == "production");
  CHECK(last.message == "r3 is slow");
  deploy(site, "r4", kTree, 3);
  deploy(site, "r5", kTree, 3);
  CHECK(release_ids(site) == Ids{"r2", "r3", "r4", "r5"});
  deploy(site, "r6", kTree, 3);
  CHECK(release_ids(site) == Ids{"r4", "r5", "r6"});
}

TEST_CASE("the last good release stays, however few are asked for") {
  const TemporaryFolder temporary;
  Site site = prepared(temporary);
  for (const char* id : {"r1", "r2", "r3"})
    deploy(site, id, kTree);
  site.mark("r3", Mark::bad, "x");
  deploy(site, "r4", kTree, 1);
  // r3 ran before, r2 is what one would go back to.
  CHECK(release_ids(site) == Ids{"r2", "r3", "r4"});
}

TEST_CASE("lines of the history that earlier versions wrote are read") {
  const TemporaryFolder temporary;
  Site site = prepared(temporary);
  base::write_file(site.path() + "/.porter/history",
                   "time=2026 action=commit release=r0 previous= run=x who=ada version=1 end\n");
  deploy(site, "r1", kTree);
  REQUIRE(site.history().size() == 2);
  CHECK(site.history()[0].release == "r0");
  CHECK(site.history()[0].message.empty());
}

TEST_CASE("a frozen config is refused with its reason, and the lock is free again") {
  const TemporaryFolder temporary;
  Site site = prepared(temporary);
  site.freeze({"production", "release party", "", ""});
  REQUIRE(site.look().frozen.size() == 1);
  CHECK(site.look().frozen[0].who == "ada@laptop");
  site.freeze({"production", "release party", "grace@desk", "2026-11-21T07:00:00Z"});
  site.release_lock();
  PrepareOptions wanted = options();
  wanted.config = "production";
  Site other = Site::open(site.path(), Layout::releases, Durability::none);
  try {
    other.prepare(wanted);
    FAIL("a frozen config was locked");
  } catch (const base::Error& error) {
    CHECK(error.code() == Code::frozen);
    CHECK(error.message() ==
          site.path() +
              ": config production is frozen since 2026-11-21T07:00:00Z by grace@desk: release party");
    CHECK(error.hint_text() == "porter-admin unfreeze --config production lifts it");
  }
  CHECK_FALSE(other.locked());
  CHECK_FALSE(site.look().holder);
  wanted.config = "testing";
  REQUIRE_FALSE(other.prepare(wanted));
  other.unfreeze("production");
  other.unfreeze("production");
  other.release_lock();
  wanted.config = "production";
  CHECK_FALSE(site.prepare(wanted));
  CHECK(site.look().frozen.empty());
}

TEST_CASE("only a name that can be a file's can be frozen, and others are simply not frozen") {
  const TemporaryFolder temporary;
  Site site = prepared(temporary);
  for (const char* name : {"", "../up", "a b", ".hidden", "a/b"})
    CHECK(code_of([&] { site.freeze({name, "x", "", ""}); }) == Code::usage);
  PrepareOptions wanted = options();
  wanted.config = "../format";
  CHECK_FALSE(site.prepare(wanted));
  CHECK(fs::is_empty(site.path() + "/.porter/frozen"));
}

TEST_CASE("a damaged mark counts, without its reason") {
  const TemporaryFolder temporary;
  Site site = prepared(temporary);
  deploy(site, "r1", kTree);
  base::write_file(site.path() + "/.porter/bad/r1", "reason=cut");
  base::write_file(site.path() + "/.porter/frozen/production", "");
  CHECK(bad_releases(site) == Ids{"r1"});
  REQUIRE(site.look().frozen.size() == 1);
  CHECK(site.look().frozen[0].reason.empty());
}

TEST_CASE("leftovers are counted, and are what the next prepare() removes") {
  const TemporaryFolder temporary;
  Site site = prepared(temporary);
  deploy(site, "r1", kTree);
  site.release_lock();
  CHECK(site.look().leftovers == 0);
  REQUIRE_FALSE(site.prepare(options()));
  send(site, "r2", kOther);
  base::write_file(site.path() + "/.porter/tmp-1-1", "x");
  base::write_file(site.path() + "/.porter/bad/tmp-1-2", "x");
  fs::create_directories(site.path() + "/.porter/trash/0");
  site.release_lock();
  const auto before = list_folder(site.path() + "/.porter");
  CHECK(site.look().leftovers == 4);
  CHECK(list_folder(site.path() + "/.porter") == before);
  REQUIRE_FALSE(site.prepare(options()));
  CHECK(site.look().leftovers == 0);
  CHECK(site.look().one_file_system);
}

TEST_CASE("a site of the first format is raised by the next prepare(), and looked at as it is") {
  const TemporaryFolder temporary;
  Site site = prepared(temporary);
  deploy(site, "r1", kTree);
  site.release_lock();
  const std::string format = site.path() + "/.porter/format";
  for (const char* folder : {"pinned", "bad", "frozen"})
    fs::remove(site.path() + "/.porter/" + folder);
  base::write_file(format, "porter-site=1 layout=releases end\n");
  CHECK(site.look().format == 1);
  CHECK(site.look().current == "r1");
  CHECK(base::read_file(format) == "porter-site=1 layout=releases end\n");
  REQUIRE_FALSE(site.prepare(options()));
  CHECK(base::read_file(format) == "porter-site=2 layout=releases end\n");
  site.mark("r1", Mark::pinned);
  CHECK(site.look().pinned == Ids{"r1"});
}

}  // namespace porter::agent
