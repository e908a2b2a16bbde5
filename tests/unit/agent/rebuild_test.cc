// Large files that are made from old versions, a spare's own among them.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>
#include <set>

#include "core/agent/failpoint.h"
#include "core/sync/block_match.h"
#include "tests/support/catch.h"
#include "tests/unit/agent/site_fixture.h"

namespace porter::agent {
namespace {

using base::TemporaryFolder;
using namespace testing;  // NOLINT

constexpr std::size_t kSize = (5U << 20U) + 100;
constexpr std::uint64_t kMiddle = 2U << 20U;

std::string random_bytes(std::size_t size, unsigned seed) {
  std::mt19937_64 numbers(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes)
    byte = static_cast<char>(numbers());
  return bytes;
}

std::string with_change(std::string content, std::uint64_t at, std::string_view change) {
  return content.replace(at, change.size(), change);
}

Wants tree_with(const std::string& large) {
  return {{"app", folder()}, {"app/large", file(large, 0644)}, {"app/small", file("small\n")}};
}

ino_t inode_of(const std::string& path) {
  struct stat info {};
  REQUIRE(::lstat(path.c_str(), &info) == 0);
  return info.st_ino;
}

// What both ends make of the file on the wire, without librsync's part in it: all that is new is sent.
void rebuild(Stage& stage, sync::EntryRef ref, const std::string& wanted) {
  std::optional<Basis> basis = stage.open_basis(ref);
  REQUIRE(basis);
  const sync::BlockTable table = sync::make_block_table(basis->fd.get(), basis->size, {});
  const TemporaryFolder temporary;
  base::write_file(temporary.path() / "new", wanted);
  const base::UniqueFd source(::open((temporary.path() / "new").c_str(), O_RDONLY | O_CLOEXEC));
  FileRebuild file =
      stage.rebuild(ref, std::move(*basis), sync::match_blocks(table, source.get(), wanted.size(), {}));
  for (const sync::Range& range : file.rest().of_new) {
    // In two pieces, neither of which ends where a range does.
    file.write(std::string_view(wanted).substr(range.offset, range.size / 2));
    file.write(std::string_view(wanted).substr(range.offset + range.size / 2, range.size - range.size / 2));
  }
  file.finish();
}

void deploy_rebuilt(Site& site, const std::string& id, const std::string& large) {
  Stage stage = site.begin_stage(id, "run-" + id);
  stage.set_wanted(make_tree(tree_with(large)));
  const sync::EntryRef ref = *stage.wanted().find_ref("app/large");
  stage.fit_spare({ref});
  stage.make_folders();
  stage.clone_same({*stage.wanted().find_ref("app/small")});
  rebuild(stage, ref, large);
  stage.make_links();
  stage.finish();
  stage.seal({});
  site.activate(id, "run-" + id);
  site.commit(id, 1);
}

struct Spared {
  Spared() {
    REQUIRE_FALSE(site.prepare(options()));
    deploy(site, "r1", tree_with(first), 1);
    deploy(site, "r2", tree_with(second), 1);
    deploy(site, "r3", tree_with(third), 1);
  }
  std::string spare() const { return site.path() + "/.porter/spare/app/large"; }
  std::string live() const { return site.path() + "/current/app/large"; }
  void deploys_right(const std::string& large) {
    deploy_rebuilt(site, "r4", large);
    const bool right = list_folder(site.path() + "/current/") == listing_of(tree_with(large));
    CHECK(right);
    CHECK_FALSE(site.look().drift.any());
    const bool kept = base::read_file(site.path() + "/releases/r3/app/large") == third;
    CHECK(kept);
  }

  const std::string first = random_bytes(kSize, 1);
  const std::string second = with_change(first, kMiddle, "second version");
  const std::string third = with_change(first, kMiddle, "third version");
  TemporaryFolder temporary;
  Site site = Site::open(temporary.path() / "site", Layout::releases, Durability::none);
};

}  // namespace

TEST_CASE("a spare's large file becomes the new one where it is, when nothing in it moves") {
  Spared at;
  const ino_t spare = inode_of(at.spare());
  const base::UniqueFd held(::open(at.spare().c_str(), O_RDONLY | O_CLOEXEC));
  std::string wanted = with_change(at.third, kMiddle + 1'000'000, "fourth version");
  SECTION("as it was left") {}
  SECTION("though somebody changed it meanwhile") {
    const base::UniqueFd fd(::open(at.spare().c_str(), O_WRONLY | O_CLOEXEC));
    base::write_at(fd.get(), std::as_bytes(std::span("foreign", 7)), 500'000);
  }
  SECTION("though its owner may not write it") {
    REQUIRE(::chmod(at.spare().c_str(), 0400) == 0);
  }
  at.deploys_right(wanted);
  CHECK(inode_of(at.live()) == spare);
}

TEST_CASE("where that cannot be, a new file is made and the old ones stay as they are") {
  Spared at;
  const ino_t spare = inode_of(at.spare());
  const base::UniqueFd held(::open(at.spare().c_str(), O_RDONLY | O_CLOEXEC));
  const base::UniqueFd live(::open(at.live().c_str(), O_RDONLY | O_CLOEXEC));
  SECTION("something moved, and the size is the same") {
    at.deploys_right(at.third.substr(1000, kMiddle) + std::string(1000, 'x') +
                     at.third.substr(1000 + kMiddle));
  }
  SECTION("the size is another") {
    at.deploys_right("more" + at.third);
  }
  SECTION("it has a second name") {
    fs::create_hard_link(at.spare(), at.temporary.path() / "second");
    at.deploys_right(with_change(at.third, 10, "fourth"));
    const bool same = base::read_file(at.temporary.path() / "second") == at.first;
    CHECK(same);
  }
  SECTION("hardly anything stayed") {
    at.deploys_right(random_bytes(kSize - 100'000, 9) + at.first.substr(kSize - 100'000));
  }
  SECTION("there is a link in its place") {
    fs::remove(at.spare());
    fs::create_symlink(at.temporary.path() / "elsewhere", at.spare());
    base::write_file(at.temporary.path() / "elsewhere", at.first);
    at.deploys_right(with_change(at.third, 10, "fourth"));
    const bool same = base::read_file(at.temporary.path() / "elsewhere") == at.first;
    CHECK(same);
  }
  CHECK(inode_of(at.live()) != spare);
}

TEST_CASE("a rebuilt file that is not the wanted one goes, and can be sent whole") {
  Spared at;
  const std::string wanted = with_change(at.third, 10, "fourth");
  Stage stage = at.site.begin_stage("r4", "run4");
  stage.set_wanted(make_tree(tree_with(wanted)));
  const sync::EntryRef ref = *stage.wanted().find_ref("app/large");
  stage.fit_spare({ref});
  stage.make_folders();
  const std::string place = at.site.path() + "/releases/r4/app/large";
  CHECK(code_of([&] { rebuild(stage, ref, with_change(wanted, 10, "fifth.")); }) == base::Code::protocol);
  CHECK_FALSE(stage.has(ref));
  CHECK_FALSE(fs::exists(place));
  FileWriter writer = stage.begin_file(ref);
  writer.write(wanted);
  writer.finish();
  CHECK(stage.has(ref));
  stage.clone_same({*stage.wanted().find_ref("app/small")});
  stage.finish();
  stage.seal({});
  at.site.activate("r4", "run4");
  const bool same = base::read_file(at.live()) == wanted;
  CHECK(same);
}

TEST_CASE("copies and bytes that do not fit are refused, and nothing is left of them") {
  Spared at;
  const std::string wanted = at.third + "more";
  Stage stage = at.site.begin_stage("r4", "run4");
  stage.set_wanted(make_tree(tree_with(wanted)));
  const sync::EntryRef ref = *stage.wanted().find_ref("app/large");
  stage.fit_spare({ref});
  stage.make_folders();
  const auto refused = [&](std::vector<sync::Copy> copies, std::string_view bytes) {
    return code_of([&] {
             FileRebuild file = stage.rebuild(ref, std::move(*stage.open_basis(ref)), std::move(copies));
             file.write(bytes);
             file.finish();
           }) == base::Code::protocol;
  };
  CHECK(refused({{1, 0, kSize}}, ""));
  CHECK(refused({{0, 0, kSize + 4}}, ""));
  CHECK(refused({{0, 0, kSize}}, "mor"));
  CHECK(refused({{0, 0, kSize}}, "more!"));
  CHECK(refused({{0, 0, kSize}}, "mare"));
  CHECK_FALSE(fs::exists(at.site.path() + "/releases/r4/app/large"));
  CHECK_FALSE(refused({{0, 0, kSize}}, "more"));
}

TEST_CASE("a basis that became shorter meanwhile is noticed") {
  Spared at;
  const std::string wanted = "more" + at.third;
  Stage stage = at.site.begin_stage("r4", "run4");
  stage.set_wanted(make_tree(tree_with(wanted)));
  const sync::EntryRef ref = *stage.wanted().find_ref("app/large");
  stage.fit_spare({ref});
  stage.make_folders();
  FileRebuild file = stage.rebuild(ref, std::move(*stage.open_basis(ref)), {{0, 4, kSize}});
  fs::resize_file(at.live(), 1'000'000);
  file.write("more");
  CHECK(code_of([&] { file.finish(); }) == base::Code::protocol);
  CHECK_FALSE(stage.has(ref));
}

TEST_CASE("old versions that take the room that something else needs go") {
  Spared at;
  Stage stage = at.site.begin_stage("r4", "run4");
  stage.set_wanted(make_tree(tree_with(with_change(at.third, 10, "fourth"))));
  const sync::EntryRef ref = *stage.wanted().find_ref("app/large");
  stage.fit_spare({ref});
  CHECK(stage.open_basis(ref)->own);
  stage.drop_bases();
  CHECK_FALSE(fs::exists(at.site.path() + "/releases/r4/app/large"));
  CHECK_FALSE(stage.open_basis(ref)->own);
}

namespace {

int steps_left = 0;
void die_at_step(const char*) {
  if (--steps_left == 0) ::_exit(9);
}

}  // namespace

TEST_CASE("an agent that is killed while it changes a spare's file leaves nothing of it") {
  const std::string first = random_bytes(kSize, 1);
  const std::string third = with_change(first, kMiddle, "third version");
  const std::string wanted = with_change(third, 10, "fourth");
  for (int n = 1;; ++n) {
    CAPTURE(n);
    const TemporaryFolder temporary;
    const auto open = [&] {
      Site site = Site::open(temporary.path() / "site", Layout::releases, Durability::none);
      REQUIRE_FALSE(site.prepare(options()));
      return site;
    };
    {
      Site site = open();
      for (const std::string* large : {&first, &first, &third})
        deploy(site, "r" + std::to_string(site.history().size() + 1), tree_with(*large), 1);
    }
    const pid_t child = ::fork();
    if (child == 0) {
      steps_left = n;
      fail_point = die_at_step;
      Site site = open();
      deploy_rebuilt(site, "r4", wanted);
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    REQUIRE(WIFEXITED(status));
    Site site = open();
    const std::string live = base::read_file(site.live_path() + "/app/large");
    const bool known = live == third || live == wanted;
    CHECK(known);
    CHECK_FALSE(site.look().drift.any());
    CHECK(site.look().leftovers == 0);
    std::set<std::string> sealed;
    for (const SealedRelease& release : site.look().releases)
      sealed.insert(release.id);
    for (const auto& release : fs::directory_iterator(temporary.path() / "site/releases"))
      CHECK(sealed.contains(release.path().filename()));
    if (WEXITSTATUS(status) == 0) break;
    REQUIRE(WEXITSTATUS(status) == 9);
    deploy(site, "r5", tree_with(wanted), 1);
    const bool right = list_folder(site.live_path() + "/") == listing_of(tree_with(wanted));
    CHECK(right);
  }
}

}  // namespace porter::agent
