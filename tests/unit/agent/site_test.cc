#include "core/agent/site.h"

#include <sys/wait.h>
#include <utime.h>

#include "tests/support/catch.h"
#include "tests/unit/agent/site_fixture.h"

namespace porter::agent {
namespace {

using base::Code;
using base::TemporaryFolder;
using namespace testing;  // NOLINT

const Wants kOne = {{"app", folder()},
                    {"app/main.py", file("print(1)\n", 0755)},
                    {"app/same.txt", file("the same\n")},
                    {"app/latest", link("main.py")},
                    {"empty", folder(0700)},
                    {"gone.txt", file("soon gone\n", 0600)}};
const Wants kTwo = {{"app", folder()},
                    {"app/main.py", file("print(2)\n", 0755)},
                    {"app/same.txt", file("the same\n")},
                    {"app/latest", link("same.txt")},
                    {"closed", folder(0555)},
                    {"closed/moved.txt", file("soon gone\n", 0640)}};

std::string site_path(const TemporaryFolder& folder) {
  return (folder.path() / "srv" / "app").string();
}

}  // namespace

TEST_CASE("what a run that ended early left is counted without the lock, and gone with the next one") {
  const TemporaryFolder temporary;
  const std::string path = site_path(temporary);
  {
    Site site = Site::open(path, Layout::releases);
    REQUIRE_FALSE(site.prepare(options()));
    send(site, "r1", kOne);
    site.activate("r1", "run1");
    site.commit("r1", 1);
    CHECK(site.look().leftovers == 0);
    Stage stage = site.begin_stage("r2", "run2");
    base::write_file(path + "/.porter/tmp-1-0", "half a record");
  }
  Site next = Site::open(path, Layout::releases);
  CHECK(next.look().leftovers == 2);
  REQUIRE_FALSE(next.prepare(options()));
  CHECK(next.look().leftovers == 0);
}

TEST_CASE("a first deploy makes the folder, the release and the link, and nothing else") {
  const TemporaryFolder temporary;
  const std::string path = site_path(temporary);
  Site site = Site::open(path, Layout::releases);
  CHECK(site.look().kind == SiteKind::absent);
  CHECK_FALSE(fs::exists(path));
  REQUIRE_FALSE(site.prepare(options()));
  send(site, "20261121T070000Z-aaaaaaaa-0001", kOne);
  CHECK(site.look().current.empty());
  site.activate("20261121T070000Z-aaaaaaaa-0001", "r1");
  REQUIRE(site.look().pending);
  site.commit("20261121T070000Z-aaaaaaaa-0001", 5);
  const SiteState state = site.look();
  CHECK(state.kind == SiteKind::ours);
  CHECK(state.current == "20261121T070000Z-aaaaaaaa-0001");
  REQUIRE(state.live);
  CHECK(state.live->skip_key == "key-20261121T070000Z-aaaaaaaa-0001");
  CHECK(state.live->root_digest == make_tree(kOne).root_digest());
  CHECK_FALSE(state.pending);
  CHECK_FALSE(state.drift.any());
  CHECK(state.free_bytes > 0);
  CHECK(list_folder(site.live_path() + "/") == listing_of(kOne));
  CHECK(list_folder(path).count("current") == 1);
  CHECK(fs::is_empty(path + "/.porter/staging"));
  CHECK(fs::is_empty(path + "/.porter/trash"));
  REQUIRE(site.history().size() == 1);
  CHECK(site.history()[0].action == "commit");
  CHECK(site.history()[0].run_id == "r1");
}

TEST_CASE("the second release takes over what is the same, also under another name, and sends the rest") {
  const TemporaryFolder temporary;
  Site site = Site::open(site_path(temporary), Layout::releases);
  site.prepare(options());
  deploy(site, "r1", kOne);
  Stage stage = site.begin_stage("r2", "run2");
  CHECK(fill(stage, kTwo) == 1);
  CHECK(stage.deletions() == 1);
  stage.seal({});
  site.activate("r2", "run2");
  CHECK(list_folder(site.live_path() + "/") == listing_of(kTwo));
  CHECK(list_folder(site.path() + "/releases/r1") == listing_of(kOne));
  CHECK_FALSE(site.look().drift.any());
}

TEST_CASE("a file of the live release that was touched is hashed, and sent when it is another one") {
  const TemporaryFolder temporary;
  Site site = Site::open(site_path(temporary), Layout::releases);
  site.prepare(options());
  deploy(site, "r1", kOne);
  const fs::path live = site.live_path();
  base::write_file(live / "app/same.txt", "THE SAME\n");
  fs::remove(live / "gone.txt");
  fs::permissions(live / "app/main.py", fs::perms::owner_read);
  base::write_file(live / "unknown.log", "by the application");
  const Drift drift = site.look().drift;
  CHECK(drift.changed == 2);
  CHECK(drift.missing == 1);
  CHECK(drift.examples == std::vector<std::string>{"gone.txt", "app/main.py", "app/same.txt"});
  // Touched without a change is no drift.
  fs::permissions(live / "app/main.py", fs::perms(0755));
  CHECK(site.look().drift.changed == 1);
  Stage stage = site.begin_stage("r2", "run2");
  CHECK(fill(stage, kOne) == 2);
}

TEST_CASE("a damaged seal is no base: files are compared by content") {
  const TemporaryFolder temporary;
  Site site = Site::open(site_path(temporary), Layout::releases);
  site.prepare(options());
  deploy(site, "r1", kOne);
  const fs::path seal = site.path() + "/.porter/manifests/r1";
  std::string bytes = base::read_file(seal);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  base::write_file(seal, bytes);
  CHECK_FALSE(site.base());
  const SiteState state = site.look();
  CHECK(state.current == "r1");
  CHECK(state.seal_damaged);
  CHECK_FALSE(state.live);
  Stage stage = site.begin_stage("r2", "run2");
  CHECK(fill(stage, kOne) == 0);
  stage.seal({});
  site.activate("r2", "run2");
  CHECK(list_folder(site.live_path() + "/") == listing_of(kOne));
}

TEST_CASE("names of any bytes arrive as they are") {
  const TemporaryFolder temporary;
  for (const Layout layout : {Layout::releases, Layout::inplace}) {
    const Wants odd = {{"-rf", file("dash")},
                       {"new\nline", file("newline")},
                       {"\xff\xfe", file("no utf-8")},
                       {" blank ", folder()},
                       {" blank /*", file("star")},
                       {"a\\b'\"$(x)", link("-rf")},
                       {std::string(255, 'n'), file("long")}};
    Site site = Site::open(temporary.path() / (layout == Layout::inplace ? "i" : "r"), layout);
    site.prepare(options());
    deploy(site, "r1", odd);
    CHECK(list_folder(site.live_path() + "/") == listing_of(odd));
    deploy(site, "r2", {{"-rf", file("two")}});
    CHECK(list_folder(site.live_path() + "/") == listing_of({{"-rf", file("two")}}));
  }
}

TEST_CASE("handlers may change the stage, and the seal says what is there") {
  const TemporaryFolder temporary;
  Site site = Site::open(site_path(temporary), Layout::releases);
  site.prepare(options());
  Stage stage = site.begin_stage("r1", "run1");
  fill(stage, kOne);
  base::write_file(stage.path() + "/app/main.py", "PRINT(1)\n", 0755);
  base::write_file(stage.path() + "/app/compiled.pyc", "made here");
  const sync::SealHeader header = stage.seal({});
  CHECK_FALSE(header.root_digest == make_tree(kOne).root_digest());
  site.activate("r1", "run1");
  const auto base = site.base();
  REQUIRE(base);
  CHECK(base->tree.find("app/main.py")->digest == base::sha256("PRINT(1)\n"));
  CHECK(base->tree.find("app/compiled.pyc") != nullptr);
  CHECK_FALSE(site.look().drift.any());
}

TEST_CASE("a stage refuses wrong content, and takes the file when it is sent again") {
  const TemporaryFolder temporary;
  Site site = Site::open(site_path(temporary), Layout::releases);
  site.prepare(options());
  Stage stage = site.begin_stage("r1", "run1");
  stage.set_wanted(make_tree({{"a", file("right")}}));
  stage.make_folders();
  const sync::EntryRef file = stage.wanted().find_ref("a").value();
  CHECK(stage.put_files({{file, "wrong"}, {file, "too much"}}).size() == 2);
  CHECK_FALSE(stage.has(file));
  CHECK_FALSE(stage.wanted().find_ref("b"));
  CHECK(fs::is_empty(stage.path()));
  CHECK(code_of([&] { stage.finish(); }) == Code::protocol);
  CHECK(stage.put_files({{file, "right"}}).empty());
  stage.finish();
  CHECK(base::read_file(stage.path() + "/a") == "right");
}

TEST_CASE("going back after a failed activation puts the old link back and removes the release") {
  const TemporaryFolder temporary;
  Site site = Site::open(site_path(temporary), Layout::releases);
  site.prepare(options());
  send(site, "r1", kOne);
  site.activate("r1", "run1");
  site.revert("r1");
  CHECK_FALSE(fs::exists(fs::symlink_status(site.live_path())));
  deploy(site, "r1", kOne);
  send(site, "r2", kTwo);
  site.activate("r2", "run2");
  site.revert("r2");
  site.revert("r2");
  CHECK(site.look().current == "r1");
  CHECK_FALSE(fs::exists(site.path() + "/releases/r2"));
  CHECK_FALSE(site.look().pending);
  CHECK(site.history().back().action == "revert");
}

TEST_CASE("a release whose run died does not count as deployed because a later one failed") {
  const TemporaryFolder temporary;
  Site site = Site::open(site_path(temporary), Layout::releases);
  site.prepare(options());
  send(site, "r1", kOne);
  site.activate("r1", "run1");  // and dies
  send(site, "r2", kTwo);
  site.activate("r2", "run2");
  site.revert("r2");
  REQUIRE(site.look().current == "r1");
  REQUIRE(site.look().pending);
  CHECK(site.look().pending->run_id == "run1");
  send(site, "r3", kTwo);
  site.activate("r3", "run3");
  site.commit("r3", 5);
  site.activate("r1", "run4");
  site.commit("r1", 5);
  CHECK_FALSE(site.look().pending);
}

TEST_CASE("releases are pruned by their age, whatever their names are") {
  const TemporaryFolder temporary;
  Site site = Site::open(site_path(temporary), Layout::releases);
  site.prepare(options());
  for (const char* id : {"r9", "r5", "r1", "r8"})
    deploy(site, id, kOne);
  CHECK(site.commit("r8", 3).pruned == std::vector<std::string>{"r9"});
  CHECK(site.look().releases.front().id == "r5");
}

TEST_CASE("pruning keeps the live release, the one before it, and the number asked for") {
  const TemporaryFolder temporary;
  Site site = Site::open(site_path(temporary), Layout::releases);
  site.prepare(options());
  for (const char* id : {"r1", "r2", "r3", "r4"})
    deploy(site, id, kOne);
  // Back to an old release: it and r4 stay, however few are asked for.
  site.activate("r1", "back");
  const CommitResult result = site.commit("r1", 1);
  CHECK(result.pruned == std::vector<std::string>{"r2", "r3"});
  CHECK(result.warnings.empty());
  CHECK(site.commit("r1", 1).pruned.empty());
  CHECK(site.history().size() == 5);
  std::vector<std::string> left;
  for (const SealedRelease& release : site.look().releases)
    left.push_back(release.id);
  CHECK(left == std::vector<std::string>{"r1", "r4"});
  CHECK(fs::exists(site.path() + "/releases/r4"));
  CHECK_FALSE(fs::exists(site.path() + "/releases/r2"));
  CHECK(code_of([&] { site.discard("r1"); }) == Code::refused);
  site.discard("r4");
  CHECK_FALSE(fs::exists(site.path() + "/releases/r4"));
}

TEST_CASE("a foreign folder is refused with a hint, and adopted when told so") {
  const TemporaryFolder temporary;
  const std::string path = site_path(temporary);
  fs::create_directories(path + "/current");
  base::write_file(path + "/current/index.html", "old site");
  base::write_file(path + "/notes.txt", "keep me");
  Site site = Site::open(path, Layout::releases);
  const Listing before = list_folder(path);
  CHECK(site.look().kind == SiteKind::foreign);
  try {
    site.prepare(options());
    FAIL("a foreign folder was taken");
  } catch (const base::Error& error) {
    CHECK(error.code() == Code::refused);
    CHECK(error.hint_text().find("--adopt") != std::string::npos);
  }
  CHECK(list_folder(path) == before);
  CHECK_FALSE(fs::exists(path + "/.porter"));
  REQUIRE_FALSE(site.prepare(options(Adopt::yes)));
  send(site, "r1", kOne);
  CHECK(base::read_file(path + "/current/index.html") == "old site");
  site.activate("r1", "run7");
  CHECK(list_folder(path + "/current/") == listing_of(kOne));
  CHECK(base::read_file(path + "/current.before-porter-run7/index.html") == "old site");
  CHECK(base::read_file(path + "/notes.txt") == "keep me");
  SECTION("and going back gives the folder its name again") {
    site.revert("r1");
    CHECK(base::read_file(path + "/current/index.html") == "old site");
    CHECK_FALSE(fs::exists(fs::symlink_status(path + "/current.before-porter-run7")));
    CHECK(site.look().kind == SiteKind::foreign);
  }
  SECTION("and later deploys need no telling") {
    site.commit("r1", 5);
    site.release_lock();
    Site later = Site::open(path, Layout::releases);
    CHECK(later.look().kind == SiteKind::ours);
    CHECK_FALSE(later.prepare(options()));
  }
}

TEST_CASE("folders that nobody may write are released, replaced, shared and removed all the same") {
  const OrdinaryUser user;
  const TemporaryFolder temporary;
  const Wants closed = {{"seed", folder(0555)},
                        {"seed/a", file("x", 0444)},
                        {"b", folder(0500)},
                        {"b/c", folder(0500)},
                        {"b/c/d", file("y", 0400)}};
  for (const Layout layout : {Layout::releases, Layout::inplace}) {
    Site site = Site::open(temporary.path() / (layout == Layout::inplace ? "i" : "r"), layout);
    site.prepare(options());
    deploy(site, "r1", closed);
    CHECK(list_folder(site.live_path() + "/") == listing_of(closed));
    if (layout == Layout::releases) site.prepare_shared({"seed"});
    Stage next = site.begin_stage("r2", "run2");
    Wants changed = closed;
    changed["b/c/d"] = file("z", 0400);
    changed["b/c/e"] = file("new", 0444);
    fill(next, changed);
    if (layout == Layout::releases) next.seed_shared("seed");
    next.seal({});
    site.activate("r2", "run2");
    CHECK(base::read_file(site.live_path() + "/b/c/e") == "new");
    CHECK(base::read_file(site.live_path() + "/seed/a") == "x");
    CHECK((Beneath::open(site.live_path()).look("b/c")->st_mode & 07777U) == 0500);
    site.revert("r2");
    CHECK(list_folder(site.live_path() + "/") == listing_of(closed));
    for (const char* id : {"r3", "r4", "r5"})
      deploy(site, id, {{"only", file("this")}}, 1);
    CHECK(list_folder(site.live_path() + "/") == listing_of({{"only", file("this")}}));
    CHECK_FALSE(fs::exists(site.path() + "/releases/r1"));
  }
}

TEST_CASE("a foreign link named current is adopted and kept under another name") {
  const TemporaryFolder temporary;
  const std::string path = site_path(temporary);
  fs::create_directories(path + "/old/7");
  fs::create_symlink("old/7", path + "/current");
  Site site = Site::open(path, Layout::releases);
  CHECK(code_of([&] { site.prepare(options()); }) == Code::refused);
  site.prepare(options(Adopt::yes));
  send(site, "r1", kOne);
  site.activate("r1", "run7");
  CHECK(fs::read_symlink(path + "/current.before-porter-run7") == "old/7");
  site.revert("r1");
  CHECK(fs::read_symlink(path + "/current") == "old/7");
  CHECK_FALSE(fs::exists(fs::symlink_status(path + "/current.before-porter-run7")));
}

TEST_CASE("a format later than ours and another layout are refused") {
  const TemporaryFolder temporary;
  const std::string path = site_path(temporary);
  Site::open(path, Layout::releases).prepare(options());
  CHECK(code_of([&] { Site::open(path, Layout::inplace).look(); }) == Code::refused);
  base::write_file(path + "/.porter/format", "porter-site=3 layout=releases end\n");
  CHECK(code_of([&] { Site::open(path, Layout::releases).look(); }) == Code::refused);
  CHECK(code_of([&] { Site::open(path, Layout::releases).prepare(options()); }) == Code::refused);
  CHECK(code_of([&] { Site::open("srv/app", Layout::releases); }) == Code::usage);
  CHECK(code_of([&] { Site::open("/srv/../app", Layout::releases); }) == Code::usage);
}

TEST_CASE("shared paths are seeded once and linked into the release") {
  const TemporaryFolder temporary;
  Site site = Site::open(site_path(temporary), Layout::releases);
  site.prepare(options());
  const Wants with_uploads = {{"var", folder()}, {"var/uploads", folder()}, {"var/uploads/a", file("seed")}};
  CHECK(site.prepare_shared({"var/uploads", "cache/"}) == std::vector<std::string>{"var/uploads"});
  CHECK(fs::is_directory(site.path() + "/shared/cache"));
  for (const std::string id : {"r1", "r2"}) {
    Stage stage = site.begin_stage(id, "run");
    fill(stage, with_uploads);
    stage.seed_shared("var/uploads");
    stage.seal({});
    site.activate(id, "run");
    CHECK(base::read_file(site.live_path() + "/var/uploads/a") == (id == "r1" ? "seed" : "changed"));
    base::write_file(site.path() + "/shared/var/uploads/a", "changed");
  }
  CHECK(fs::read_symlink(site.live_path() + "/var/uploads") == "../../../shared/var/uploads");
  CHECK(site.prepare_shared({"var/uploads"}).empty());
  CHECK(code_of([&] { site.prepare_shared({"../outside"}); }) == Code::refused);
}

TEST_CASE("a folder inside the site that became a link to outside is refused, and outside stays as it was") {
  const TemporaryFolder temporary;
  const TemporaryFolder outside;
  base::write_file(outside.path() / "secret", "kept");
  fs::create_directories(outside.path() / "r1");
  const Listing before = list_folder(outside.path());
  Site site = Site::open(site_path(temporary), Layout::releases);
  site.prepare(options());
  deploy(site, "r0", kOne);
  const fs::path root = site.path();
  SECTION("releases") {
    fs::rename(root / "releases", root / "hidden");
    fs::create_directory_symlink(outside.path(), root / "releases");
    CHECK(code_of([&] { send(site, "r1", kOne); }) == Code::refused);
  }
  SECTION("a folder of the stage, while it is filled") {
    Stage stage = site.begin_stage("r1", "run");
    stage.set_wanted(make_tree(kOne));
    stage.make_folders();
    fs::remove(fs::path(stage.path()) / "app");
    fs::create_directory_symlink(outside.path(), fs::path(stage.path()) / "app");
    CHECK(code_of([&] {
            stage.put_files({{stage.wanted().find_ref("app/main.py").value(), "print(1)\n"}});
          }) == Code::refused);
  }
  SECTION("a folder of the release that is pruned") {
    fs::remove_all(root / "releases/r0/app");
    fs::create_directory_symlink(outside.path(), root / "releases/r0/app");
    for (const char* id : {"r1", "r2", "r3"})
      deploy(site, id, kTwo, 1);
    CHECK_FALSE(fs::exists(root / "releases/r0"));
  }
  SECTION(".porter/staging") {
    fs::remove_all(root / ".porter/staging");
    fs::create_directory_symlink(outside.path(), root / ".porter/staging");
    CHECK(code_of([&] { send(site, "r1", kOne); }) == Code::refused);
  }
  CHECK(list_folder(outside.path()) == before);
}

TEST_CASE("two processes contend for a site: one gets it, the other sees who") {
  const TemporaryFolder temporary;
  const std::string path = site_path(temporary);
  const base::FdPair go = base::make_pipe();
  const base::FdPair ready = base::make_pipe();
  const pid_t child = ::fork();
  if (child == 0) {
    Site site = Site::open(path, Layout::releases);
    PrepareOptions mine = options();
    mine.self.who = "grace";
    const bool taken = !site.prepare(mine);
    base::write_all(ready.second.get(), taken ? "y" : "n");
    std::byte one[1];
    base::read_some(go.first.get(), one);
    ::_exit(0);
  }
  std::byte answer[1];
  base::read_some(ready.first.get(), answer);
  REQUIRE(answer[0] == std::byte{'y'});
  Site site = Site::open(path, Layout::releases);
  const std::optional<Holder> holder = site.prepare(options());
  REQUIRE(holder);
  CHECK(holder->who == "grace");
  CHECK(site.look().holder->who == "grace");
  CHECK_FALSE(site.locked());
  CHECK(code_of([&] { site.begin_stage("r1", "run"); }) == Code::internal);
  // Killed, not asked to let go: the lock ends with its process.
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK_FALSE(site.look().holder);
  CHECK_FALSE(site.prepare(options()));
  CHECK(site.locked());
  CHECK_FALSE(site.look().holder);
}

TEST_CASE("a lock file that somebody deletes lets nobody in, and the site still locks the next time") {
  const TemporaryFolder temporary;
  const std::string path = site_path(temporary);
  {
    Site site = Site::open(path, Layout::releases);
    REQUIRE_FALSE(site.prepare(options()));
    fs::remove(fs::path(path) / ".porter/lock");
    CHECK(Site::open(path, Layout::releases).prepare(options()));
  }
  Site after = Site::open(path, Layout::releases);
  CHECK_FALSE(after.prepare(options()));
  CHECK(Site::open(path, Layout::releases).look().holder->who == "ada");
}

TEST_CASE("what an application of another user left in an old release stops no deploy") {
  if (::geteuid() != 0) {
    WARN("skipped: needs root, for files of another user");
    return;
  }
  const OrdinaryUser user;
  const uid_t ordinary = ::geteuid();
  const TemporaryFolder temporary;
  Site site = Site::open(temporary.path() / "site", Layout::releases, Durability::none);
  REQUIRE_FALSE(site.prepare(options()));
  const Wants tree = {{"cache", folder()}};
  deploy(site, "r1", tree);
  REQUIRE(::seteuid(0) == 0);
  fs::create_directories(site.path() + "/releases/r1/cache/theirs");
  base::write_file(site.path() + "/releases/r1/cache/theirs/compiled", "by root");
  REQUIRE(::seteuid(ordinary) == 0);
  deploy(site, "r2", tree);
  send(site, "r3", tree);
  site.activate("r3", "run3");
  const CommitResult result = site.commit("r3", 1);
  CHECK(result.pruned == std::vector<std::string>{"r1"});
  CHECK(result.warnings.empty());  // it is the spare, and as such of no use
  CHECK(site.look().leftovers == 0);
  send(site, "r4", tree);
  site.activate("r4", "run4");
  protocol::CommitNote copies;
  copies.link = protocol::LinkMode::copy;
  const CommitResult last = site.commit("r4", 1, copies);
  REQUIRE(last.warnings.size() == 1);
  CHECK(last.warnings[0].find("/.porter/trash/") != std::string::npos);
  site.release_lock();
  REQUIRE_FALSE(site.prepare(options()));
  CHECK(site.look().leftovers == 1);
  REQUIRE(::seteuid(0) == 0);
  for (const auto& entry : fs::recursive_directory_iterator(site.path() + "/.porter/trash"))
    REQUIRE(::lchown(entry.path().c_str(), ordinary, static_cast<gid_t>(-1)) == 0);
  REQUIRE(::seteuid(ordinary) == 0);
  site.release_lock();
  REQUIRE_FALSE(site.prepare(options()));
  CHECK(site.look().leftovers == 0);
}

}  // namespace porter::agent
