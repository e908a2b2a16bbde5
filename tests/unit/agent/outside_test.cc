// Files outside of the tree, and undo steps: with the deploy, back with its failure, and through rollbacks.
#include <fcntl.h>
#include <sys/stat.h>

#include "core/agent/occupant.h"
#include "tests/support/catch.h"
#include "tests/unit/agent/outside_fixture.h"

namespace porter::agent {
namespace {

using base::Code;
using base::TemporaryFolder;
using namespace testing;  // NOLINT

const Wants kTree = {{"app", file("x\n")}};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct Outside {
  TemporaryFolder folder;
  std::string etc = folder.path() / "etc";
  std::string path = folder.path() / "site";
  Site site;

  explicit Outside(Layout layout = Layout::releases, Durability durability = Durability::none)
      : site(Site::open(path, layout, durability)) {
    fs::create_directories(etc);
    REQUIRE_FALSE(site.prepare(options()));
  }
  void write(const std::string& name, const std::string& content) const {
    base::write_file(etc + "/" + name, content);
  }
  void install(const std::string& id, const std::string& name, const std::string& content,
               std::uint32_t mode = 0) {
    testing::install(site, id, etc + "/" + name, content, mode);
  }
  // Notes its name in a log when it is run.
  void add_undo(const std::string& id, const std::string& word) { site.add_undo(id, log_word(etc, word)); }
  void activate(const std::string& id) {
    site.place_files(id);
    site.activate(id, "run-" + id);
  }
  Listing now() const { return list_folder(etc); }
};

}  // namespace

TEST_CASE("an installed file waits for place_files, and comes back with the release's failure") {
  for (const Layout layout : {Layout::releases, Layout::inplace}) {
    Outside at(layout, Durability::full);
    deploy(at.site, "r1", kTree);
    at.write("conf", "old");
    fs::permissions(at.etc + "/conf", fs::perms(0640));
    fs::create_symlink("nowhere", at.etc + "/link");
    const fs::file_time_type written = fs::last_write_time(at.etc + "/conf") - std::chrono::hours(5);
    fs::last_write_time(at.etc + "/conf", written);
    const Listing before = at.now();
    send(at.site, "r2", kTree);
    at.install("r2", "conf", "new");
    at.install("r2", "link", "no link", 0600);
    at.install("r2", "deep/er/file", "fresh");
    CHECK(at.now() == before);
    at.activate("r2");
    CHECK(at.now() == Listing{{"conf", "file:0640:new"},
                              {"link", "file:0600:no link"},
                              {"deep", "folder:0755"},
                              {"deep/er", "folder:0755"},
                              {"deep/er/file", "file:0644:fresh"}});
    at.install("r2", "late", "at once");
    CHECK(at.now().at("late") == "file:0644:at once");
    at.site.revert("r2");
    CHECK(at.now() == before);
    CHECK(fs::last_write_time(at.etc + "/conf") == written);
    CHECK(at.site.look().current == "r1");
    CHECK(at.site.look().leftovers == 0);
    CHECK_FALSE(fs::exists(at.path + "/.porter/outside/r2"));
  }
}

TEST_CASE("of several contents for one path the last wins, and the first old one comes back") {
  Outside at;
  at.write("conf", "old");
  send(at.site, "r1", kTree);
  at.install("r1", "conf", "one");
  at.activate("r1");
  at.install("r1", "conf", "two");
  CHECK(at.now().at("conf") == "file:0644:two");
  at.site.revert("r1");
  CHECK(at.now() == Listing{{"conf", "file:0644:old"}});
}

TEST_CASE("undo steps run in reverse order, with the switch and the files at their places among them") {
  for (const Layout layout : {Layout::releases, Layout::inplace}) {
    Outside at(layout);
    deploy(at.site, "r1", kTree);
    send(at.site, "r2", {{"app", file("y\n")}});
    const std::string see = "cat " + at.site.live_path() + "/app; cat " + at.etc + "/conf 2>/dev/null; true";
    const auto look = [&](const std::string& word) {
      protocol::RunRequest request = log_word(at.etc, word);
      request.arguments = {"sh", "-c", "echo " + word + " $(" + see + ") >> " + at.etc + "/log"};
      at.site.add_undo("r2", request);
    };
    look("first");
    at.install("r2", "conf", "new");
    look("second");
    at.activate("r2");
    look("third");
    at.site.revert("r2");
    CHECK(base::read_file(at.etc + "/log") == "third y new\nsecond x new\nfirst x\n");
    at.site.revert("r2");  // nothing runs twice when nothing was killed
    CHECK(base::read_file(at.etc + "/log").size() == 33);
  }
}

TEST_CASE("a step that fails stops no other, and is named") {
  Outside at;
  deploy(at.site, "r1", kTree);
  send(at.site, "r2", kTree);
  at.add_undo("r2", "first");
  protocol::RunRequest bad;
  bad.arguments = {"sh", "-c", "echo no such luck >&2; exit 7"};
  at.site.add_undo("r2", bad);
  bad.arguments = {"/nowhere/program"};
  at.site.add_undo("r2", bad);
  at.install("r2", "conf", "new");
  at.activate("r2");
  fs::remove(at.etc + "/conf");
  fs::create_directory(at.etc + "/conf");  // somebody's: neither replaced nor removed
  std::string told;
  try {
    at.site.revert("r2");
  } catch (const base::Error& error) {
    CHECK(error.code() == Code::remote);
    CHECK_FALSE(error.hint_text().empty());
    told = error.message();
  }
  CHECK(has(told, "3 undo steps failed"));
  CHECK(has(told, at.etc + "/conf: is a folder"));
  CHECK(has(told, "/nowhere/program"));
  CHECK(has(told, "failed with status 7: no such luck"));
  CHECK(base::read_file(at.etc + "/log") == "first\n");
  CHECK(at.site.look().current == "r1");
  CHECK(at.site.look().leftovers == 0);
}

TEST_CASE("a program ends at its deadline, and the others run") {
  Outside at;
  send(at.site, "r1", kTree);
  at.add_undo("r1", "first");
  protocol::RunRequest slow;
  slow.arguments = {"sleep", "1000"};
  slow.deadline_seconds = 1;
  at.site.add_undo("r1", slow);
  CHECK(code_of([&] { at.site.discard("r1"); }) == Code::remote);
  CHECK(base::read_file(at.etc + "/log") == "first\n");
  CHECK_FALSE(fs::exists(at.path + "/releases/r1"));
}

TEST_CASE("the commit forgets programs and keeps files; a later activation leaves both alone") {
  Outside at;
  deploy(at.site, "r1", kTree);
  send(at.site, "r2", kTree);
  at.add_undo("r2", "never");
  at.install("r2", "conf", "two");
  at.activate("r2");
  at.site.commit("r2", 5);
  at.add_undo("r2", "never");
  deploy(at.site, "r3", kTree);
  CHECK(at.now() == Listing{{"conf", "file:0644:two"}});
  at.site.activate("r2", "again");
  at.site.revert("r2");
  at.site.discard("r2");
  CHECK(at.now() == Listing{{"conf", "file:0644:two"}});
}

TEST_CASE("a committed activation is reverted with its files, and without its programs") {
  for (const Layout layout : {Layout::releases, Layout::inplace}) {
    Outside at(layout);
    deploy(at.site, "r1", kTree);
    send(at.site, "r2", kTree);
    at.add_undo("r2", "never");
    at.install("r2", "conf", "two");
    at.activate("r2");
    at.site.commit("r2", 5);
    at.site.revert("r2");
    CHECK(at.now().empty());
    CHECK(at.site.look().current == "r1");
  }
}

TEST_CASE("a discarded stage runs its undo steps, and one that is begun again keeps them") {
  Outside at;
  Stage first = at.site.begin_stage("r1", "run1");
  at.add_undo("r1", "undone");
  at.install("r1", "conf", "one");
  send(at.site, "r1", kTree);
  at.activate("r1");
  CHECK(at.now() == Listing{{"conf", "file:0644:one"}});
  at.site.revert("r1");
  CHECK(at.now() == Listing{{"log", "file:0644:undone\n"}});
  send(at.site, "r2", kTree);
  at.add_undo("r2", "discarded");
  at.site.discard("r2");
  CHECK(base::read_file(at.etc + "/log") == "undone\ndiscarded\n");
}

namespace {

// r0 installs a; r1 installs a and b; r2 installs a, c and a link's place.
void deploy_three(Outside& at) {
  at.write("c", "hand made");
  const auto one = [&](const std::string& id, const std::vector<std::string>& names) {
    send(at.site, id, kTree);
    for (const std::string& name : names)
      at.install(id, name, id + " " + name, id == "r1" ? 0600 : 0);
    at.activate(id);
    at.site.commit(id, 5);
  };
  one("r0", {"a"});
  one("r1", {"a", "b"});
  one("r2", {"a", "c"});
}

const Listing kAfterR0 = {{"a", "file:0644:r0 a"}, {"c", "file:0644:hand made"}};
const Listing kAfterR1 = {{"a", "file:0600:r1 a"}, {"b", "file:0600:r1 b"}, {"c", "file:0644:hand made"}};
const Listing kAfterR2 = {{"a", "file:0600:r2 a"}, {"b", "file:0600:r1 b"}, {"c", "file:0644:r2 c"}};

void roll_back(Outside& at, const std::string& id, const std::string& run) {
  at.site.place_files(id);
  at.site.activate(id, run);
}

}  // namespace

TEST_CASE("a rollback makes the outside what it was, over one release or several, there and back again") {
  Outside at;
  deploy_three(at);
  REQUIRE(at.now() == kAfterR2);
  roll_back(at, "r1", "back1");
  CHECK(at.now() == kAfterR1);
  at.site.commit("r1", 5, {"rollback", "", ""});
  CHECK(at.now() == kAfterR1);
  roll_back(at, "r0", "back2");
  CHECK(at.now() == kAfterR0);
  at.site.commit("r0", 5, {"rollback", "", ""});
  roll_back(at, "r2", "forward");
  CHECK(at.now() == kAfterR2);
  at.site.commit("r2", 5, {"rollback", "", ""});
  roll_back(at, "r0", "back3");  // over r1 at once
  CHECK(at.now() == kAfterR0);
}

TEST_CASE("a rollback that is reverted leaves the outside as the left release had it, programs and all") {
  Outside at;
  deploy_three(at);
  at.add_undo("r1", "start it again");
  roll_back(at, "r1", "back");
  at.site.revert("r1");
  CHECK(at.site.look().current == "r2");
  CHECK(base::read_file(at.etc + "/log") == "start it again\n");
  fs::remove(at.etc + "/log");
  CHECK(at.now() == kAfterR2);
  // One that did not get as far as the switch, too.
  at.site.place_files("r0");
  CHECK(at.now() == kAfterR0);
  CHECK(at.site.look().leftovers == 1);
  at.site.revert("r0");
  CHECK(at.now() == kAfterR2);
  CHECK(at.site.look().releases.size() == 3);
  CHECK(at.site.look().leftovers == 0);
}

TEST_CASE("an inplace site goes back one deploy with its files") {
  Outside at(Layout::inplace);
  deploy_three(at);
  roll_back(at, "r1", "back");
  at.site.commit("r1", 5, {"rollback", "", ""});
  CHECK(at.site.history().back().action == "rollback");
  CHECK(at.now() == kAfterR1);
  CHECK(at.site.look().current == "r1");
  CHECK(at.site.look().leftovers == 0);
}

TEST_CASE("what is not known any more is refused before anything changes") {
  Outside at;
  deploy_three(at);
  at.site.discard("r1");
  const Listing before = at.now();
  try {
    at.site.place_files("r0");
    FAIL("guessed");
  } catch (const base::Error& error) {
    CHECK(error.code() == Code::refused);
    CHECK(has(error.message(), "release r1, which was live since, is removed"));
  }
  CHECK(at.now() == before);
  at.site.revert("r0");
  CHECK(at.now() == before);
  CHECK(at.site.look().leftovers == 0);
}

TEST_CASE("a release that was live and never committed counts once another is activated") {
  Outside at;
  send(at.site, "r1", kTree);
  at.activate("r1");
  at.site.commit("r1", 5);
  send(at.site, "r2", kTree);
  at.add_undo("r2", "never");
  at.install("r2", "conf", "two");
  at.activate("r2");
  send(at.site, "r3", kTree);
  at.install("r3", "conf", "three");
  at.activate("r3");
  at.site.commit("r3", 5);
  CHECK(at.site.history().at(1).release == "r2");
  at.site.release_lock();
  REQUIRE_FALSE(at.site.prepare(options()));
  CHECK(at.now() == Listing{{"conf", "file:0644:three"}});
  roll_back(at, "r1", "back");
  CHECK(at.now().empty());
}

TEST_CASE("prepare undoes what a killed run did outside, and keeps what a resumed one needs") {
  Outside at;
  deploy(at.site, "r1", kTree);
  send(at.site, "r3", kTree);
  Stage stage = at.site.begin_stage("r2", "run2");
  at.add_undo("r2", "before the seal");
  at.install("r2", "conf", "two");
  fill(stage, kTree);
  stage.seal({});
  at.add_undo("r2", "after the seal");
  at.site.place_files("r2");
  REQUIRE(at.now() == Listing{{"conf", "file:0644:two"}});
  PrepareOptions wanted = options();
  wanted.keep_release = "r2";
  at.site.release_lock();
  REQUIRE_FALSE(at.site.prepare(wanted));
  CHECK(at.now() == Listing{{"log", "file:0644:after the seal\n"}});
  at.activate("r2");
  CHECK(at.now().at("conf") == "file:0644:two");
  at.site.revert("r2");
  CHECK(at.now() == Listing{{"log", "file:0644:after the seal\nbefore the seal\n"}});
}

TEST_CASE("a program that fails while a killed run is settled is told in the history") {
  Outside at;
  send(at.site, "r1", kTree);
  protocol::RunRequest bad;
  bad.arguments = {"false"};
  at.site.add_undo("r1", bad);
  at.site.release_lock();
  REQUIRE_FALSE(at.site.prepare(options()));
  REQUIRE(at.site.history().size() == 1);
  CHECK(at.site.history()[0].message == "an undo step failed: false: failed with status 1");
}

TEST_CASE("a lost connection ends an undo program; the next run takes the release back") {
  Outside at;
  send(at.site, "r1", kTree);
  at.add_undo("r1", "late");
  const base::CancelToken lost;
  lost.cancel();
  at.site.set_lost(lost);
  CHECK_THROWS_AS(at.site.discard("r1"), base::Interrupted);
  CHECK_FALSE(fs::exists(at.etc + "/log"));
  at.site.set_lost({});
  at.site.release_lock();
  REQUIRE_FALSE(at.site.prepare(options()));
  CHECK(base::read_file(at.etc + "/log") == "late\n");
  CHECK_FALSE(fs::exists(at.path + "/releases/r1"));
}

TEST_CASE("paths of the site, folders, pipes and roundabout paths are refused, and other releases") {
  Outside at;
  deploy(at.site, "r1", kTree);
  send(at.site, "r2", kTree);
  const auto code = [&](const std::string& path) {
    return code_of([&] { testing::install(at.site, "r2", path, "x"); });
  };
  fs::create_symlink(at.path, at.etc + "/around");
  ::mkfifo((at.etc + "/pipe").c_str(), 0600);
  CHECK(code(at.path + "/current/app") == Code::usage);
  CHECK(code(at.path + "/other") == Code::usage);
  CHECK(code(at.etc + "/around/other") == Code::usage);
  CHECK(code("etc/conf") == Code::usage);
  CHECK(code(at.etc + "/../conf") == Code::usage);
  CHECK(code(at.etc + "/conf/") == Code::usage);
  CHECK(code(std::string("/etc/a\0b", 8)) == Code::usage);
  CHECK(code(at.etc) == Code::refused);
  CHECK(code(at.etc + "/pipe") == Code::refused);
  CHECK(code_of([&] { at.install("r9", "conf", "x"); }) == Code::missing);
  CHECK(code_of([&] { at.site.add_undo("../x", log_word(at.etc, "x")); }) == Code::usage);
  CHECK(code_of([&] { at.site.place_files("r9"); }) == Code::missing);
  // A neighbour whose name begins like the site's is not inside of it.
  testing::install(at.site, "r2", at.path + "-conf/file", "x");
  at.activate("r2");
  CHECK(base::read_file(at.path + "-conf/file") == "x");
}

TEST_CASE("a folder that came into the place of a file since is left alone, and the deploy is put back") {
  Outside at;
  deploy(at.site, "r1", kTree);
  send(at.site, "r2", kTree);
  at.install("r2", "a", "first");
  at.install("r2", "conf", "x");
  fs::create_directory(at.etc + "/conf");
  CHECK(code_of([&] { at.site.place_files("r2"); }) == Code::refused);
  at.site.revert("r2");
  CHECK(at.now() == Listing{{"conf", "folder:0755"}});
}

TEST_CASE("what cannot be put back is kept and named, whatever becomes of its release") {
  Outside at;
  deploy(at.site, "r1", kTree);
  send(at.site, "r2", kTree);
  at.write("conf", "the only copy");
  at.install("r2", "conf", "new");
  at.site.place_files("r2");
  fs::remove(at.etc + "/conf");
  fs::create_directory(at.etc + "/conf");
  std::string told;
  try {
    at.site.discard("r2");
  } catch (const base::Error& error) {
    told = error.message();
  }
  const std::string kept = at.path + "/.porter/outside/r2:1.old";
  CHECK(has(told, "(what was there: " + kept + ")"));
  at.site.release_lock();
  REQUIRE_FALSE(at.site.prepare(options()));
  CHECK_FALSE(fs::exists(at.path + "/.porter/outside/r2"));
  CHECK(base::read_file(kept) == "the only copy");
  CHECK(at.site.look().leftovers == 0);
}

TEST_CASE("a resumed run does not take its own file for what was there before") {
  Outside at;
  deploy(at.site, "r1", kTree);
  at.write("conf", "the only copy");
  Stage stage = at.site.begin_stage("r2", "run2");
  at.install("r2", "conf", "new");
  at.install("r2", "fresh", "new");
  fill(stage, kTree);
  stage.seal({});
  at.site.place_files("r2");
  for (const char* name : {"/conf", "/fresh"}) {
    fs::rename(at.etc + name, at.folder.path() / ("moved-" + std::string(name + 1)));
    fs::create_directory(at.etc + name);
  }
  PrepareOptions wanted = options();
  wanted.keep_release = "r2";
  at.site.release_lock();
  REQUIRE_FALSE(at.site.prepare(wanted));
  for (const char* name : {"/conf", "/fresh"}) {
    fs::remove(at.etc + name);
    fs::rename(at.folder.path() / ("moved-" + std::string(name + 1)), at.etc + name);
  }
  at.activate("r2");
  CHECK(at.now() == Listing{{"conf", "file:0644:new"}, {"fresh", "file:0644:new"}});
  at.site.revert("r2");
  CHECK(at.now() == Listing{{"conf", "file:0644:the only copy"}});
  CHECK_FALSE(fs::exists(at.path + "/.porter/outside/r2:1.old"));
}

TEST_CASE("content that nobody needs any more can become the file itself") {
  TemporaryFolder folder;
  const Beneath kept = Beneath::open(folder.path());
  base::write_file(folder.path() / "1.old", "the only copy");
  Occupant wanted;
  wanted.kind = OccupantKind::file;
  wanted.mode = 0640;
  const std::string conf = folder.path() / "conf";
  put_occupant(conf, wanted, {kept, "1.old", true}, ".temporary", true);
  CHECK(list_folder(folder.path()).at("conf") == "file:0640:the only copy");
  CHECK(fs::hard_link_count(conf) == 2);
}

TEST_CASE("undo steps have limits, and a torn or foreign line is no step") {
  Outside at;
  send(at.site, "r1", kTree);
  protocol::RunRequest large = log_word(at.etc, "large");
  large.input = std::string(400U << 10U, '\n');  // three bytes each in the list
  CHECK(code_of([&] { at.site.add_undo("r1", large); }) == Code::usage);
  protocol::RunRequest torn = log_word(at.etc, "torn");
  torn.arguments.emplace_back("a\0b", 3);
  CHECK(code_of([&] { at.site.add_undo("r1", torn); }) == Code::usage);
  at.add_undo("r1", "small");
  const std::string list = at.path + "/.porter/outside/r1/list";
  const std::string line = "step=program number=2 arguments=true%00 variables= folder= input= end\n";
  std::string lines = base::read_file(list) + "step=program number=3 argu\nnonsense\n";
  for (int i = 0; i < 9'999; ++i)
    lines += line;
  base::write_file(list, lines);
  CHECK(code_of([&] { at.add_undo("r1", "one more"); }) == Code::refused);
  CHECK(code_of([&] { at.install("r1", "conf", "one more"); }) == Code::refused);
  lines.resize(lines.size() - 9'999 * line.size());
  base::write_file(list, lines);
  at.site.discard("r1");
  CHECK(at.now() == Listing{{"log", "file:0644:small\n"}});
}

}  // namespace porter::agent
