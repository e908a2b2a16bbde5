#include "core/agent/interrupted.h"

#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/support/catch.h"
#include "tests/unit/agent/site_fixture.h"

namespace porter::agent {
namespace {

using base::TemporaryFolder;
using namespace testing;  // NOLINT

const Wants kOld = {{"app", folder()}, {"app/same", file("the same\n")}, {"app/version", file("1\n")}};

// Ten files that are new or changed, of which six have content and arrive before the interruption.
Wants new_tree() {
  Wants all = kOld;
  all["app/version"] = file("2\n", 0600);
  all["empty"] = file("");
  all["more"] = folder(0700);
  for (int i = 0; i < 8; ++i)
    all["more/file" + std::to_string(i)] = file("content " + std::to_string(i), 0640);
  return all;
}

constexpr std::size_t kNew = 10;
constexpr std::size_t kArrived = 6;

struct Interruption {
  explicit Interruption(Layout layout) : site(Site::open(temporary.path() / "site", layout)) {
    REQUIRE_FALSE(site.prepare(options()));
    deploy(site, "r1", kOld);
    send_part(site, "r2", new_tree(), 8);
  }
  // In the order of their contents, which are their names in a way.
  std::vector<fs::path> files() const {
    std::vector<fs::path> all;
    for (const auto& each : fs::recursive_directory_iterator(left())) {
      if (each.is_regular_file() && each.file_size() > 0) all.push_back(each.path());
    }
    std::sort(all.begin(), all.end(),
              [](const auto& a, const auto& b) { return base::read_file(a) < base::read_file(b); });
    return all;
  }
  fs::path left() const { return fs::path(site.path()) / ".porter/interrupted"; }
  void is_right(const Wants& wants) const {
    CHECK(list_folder(site.live_path() + "/") == listing_of(wants));
    CHECK_FALSE(site.look().drift.any());
    CHECK(site.look().leftovers == 0);
    CHECK_FALSE(fs::exists(left()));
  }

  TemporaryFolder temporary;
  Site site;
};

void change_without_a_trace(const fs::path& file) {
  struct stat before {};
  REQUIRE(::stat(file.c_str(), &before) == 0);
  std::string content = base::read_file(file);
  content[0] = 'X';
  const base::UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  base::write_all(fd.get(), content);
  const timespec times[2] = {before.st_atim, before.st_mtim};
  REQUIRE(::utimensat(AT_FDCWD, file.c_str(), times, 0) == 0);
}

}  // namespace

TEST_CASE("what an interrupted send has brought is not sent again") {
  Interruption at(GENERATE(Layout::releases, Layout::inplace));
  CHECK(at.site.look().leftovers == 0);
  REQUIRE(at.files().size() == 7);  // one has no content, and one is live as well
  SECTION("by the next run, which keeps its hands off until then") {
    at.site.release_lock();
    REQUIRE_FALSE(at.site.prepare(options()));
    CHECK(at.files().size() == 7);
  }
  SECTION("by the same release") {}
  CHECK(deploy_rest(at.site, "r2", new_tree()) == kNew - kArrived);
  at.is_right(new_tree());
}

TEST_CASE("a stage that was killed is as good, and a sealed one that nobody wants goes") {
  const Layout layout = GENERATE(Layout::releases, Layout::inplace);
  const TemporaryFolder temporary;
  const std::string path = temporary.path() / "site";
  const bool sealed = GENERATE(false, true);
  {
    Site site = Site::open(path, layout);
    REQUIRE_FALSE(site.prepare(options()));
    deploy(site, "r1", kOld);
    Stage stage = site.begin_stage("r2", "run2");
    fill(stage, new_tree());
    if (sealed) stage.seal({});
  }
  Site site = Site::open(path, layout);
  REQUIRE_FALSE(site.prepare(options()));
  CHECK(site.look().leftovers == 0);
  CHECK(fs::exists(path + "/.porter/interrupted") != sealed);
  CHECK_FALSE(fs::exists(path + "/releases/r2"));
  CHECK(deploy_rest(site, "r3", new_tree()) == (sealed ? kNew : 1));
}

TEST_CASE("nothing that was done to an interrupted send gets into a release") {
  Interruption at(GENERATE(Layout::releases, Layout::inplace));
  const std::vector<fs::path> files = at.files();
  std::size_t lost = 1;
  SECTION("another content of the same size and time") {
    change_without_a_trace(files[2]);
  }
  SECTION("cut off") {
    fs::resize_file(files[2], 3);
  }
  SECTION("gone, or of another kind") {
    fs::remove(files[0]);
    fs::remove(files[1]);
    fs::create_symlink("/etc/passwd", files[1]);
    fs::remove(files[2]);
    fs::create_directory(files[2]);
    lost = 3;
  }
  SECTION("a further name, which somebody else has") {
    fs::create_hard_link(files[2], at.temporary.path() / "elsewhere");
  }
  SECTION("another owner, which the next tree does not settle") {
    if (::chown(files[2].c_str(), 65534, 65534) != 0) lost = 0;  // only root can
  }
  SECTION("an attribute that nobody asked for") {
    if (::setxattr(files[2].c_str(), "user.stray", "x", 1, 0) != 0) lost = 0;  // not on every file system
  }
  SECTION("a mode of its own") {
    fs::permissions(files[2], fs::perms(0777));
    lost = 0;
  }
  CHECK(deploy_rest(at.site, "r3", new_tree()) == kNew - kArrived + lost);
  at.is_right(new_tree());
}

TEST_CASE("a file that changes after it was read is not taken") {
  Interruption at(Layout::releases);
  InterruptedSend left = at.site.interrupted({}, {});
  const std::vector<fs::path> files = at.files();
  change_without_a_trace(files[2]);
  fs::remove(files[3]);
  Stage stage = at.site.begin_stage("r3", "run3");
  CHECK(fill(stage, new_tree(), std::move(left)) == kNew - kArrived + 2);
  stage.seal({});
  at.site.activate("r3", "run3");
  at.site.commit("r3", 5);
  at.is_right(new_tree());
}

TEST_CASE("each file that was left serves once, and what is live is not told") {
  Interruption at(Layout::releases);
  Wants twice = new_tree();
  twice["other"] = twice["more/file1"];
  const auto left = at.site.interrupted({}, {}).beyond(make_tree(kOld));
  CHECK(left.size() == kArrived);
  CHECK(deploy_rest(at.site, "r3", twice) == kNew + 1 - kArrived);
  at.is_right(twice);
  CHECK(at.site.interrupted({}, {}).beyond(make_tree(kOld)).empty());
}

TEST_CASE("an interrupted send is kept once, whatever is interrupted next") {
  Interruption at(GENERATE(Layout::releases, Layout::inplace));
  Wants other = kOld;
  for (int i = 0; i < 5; ++i)
    other["other" + std::to_string(i)] = file("other " + std::to_string(i));
  {
    Stage stage = at.site.begin_stage("r3", "run3");
    fill(stage, other, at.site.interrupted({}, {}));
  }
  at.site.interrupt("r3");
  CHECK(at.site.interrupted({}, {}).beyond(make_tree(kOld)).size() == 5);
  CHECK(deploy_rest(at.site, "r4", other) == 0);
  at.is_right(other);
}

TEST_CASE("a commit leaves nothing of an interrupted send") {
  Interruption at(GENERATE(Layout::releases, Layout::inplace));
  REQUIRE(at.files().size() == 7);
  send(at.site, "r3", new_tree());
  at.site.discard("r3");
  SECTION("by the commit of a deploy") {
    deploy(at.site, "r4", kOld);
  }
  SECTION("by that of a rollback") {
    deploy(at.site, "r4", kOld);
    send_part(at.site, "r5", new_tree(), 7);
    at.site.activate("r1", "back");
    at.site.commit("r1", 5);
  }
  SECTION("when it is asked for") {
    at.site.drop_interrupted();
  }
  at.is_right(kOld);
}

TEST_CASE("the beginning of a large file is an old version of it") {
  const Layout layout = GENERATE(Layout::releases, Layout::inplace);
  const TemporaryFolder temporary;
  Site site = Site::open(temporary.path() / "site", layout);
  REQUIRE_FALSE(site.prepare(options()));
  deploy(site, "r1", kOld);
  std::string content;
  for (std::uint32_t i = 0; content.size() < sync::kTableFrom + 1000; ++i)
    content += std::to_string(i * 2654435761U);
  Wants wants = kOld;
  wants["large"] = file(content);
  const std::string half = content.substr(0, content.size() / 2);
  const auto begin = [&](const std::string& id) {
    Stage stage = site.begin_stage(id, "run");
    stage.set_wanted(make_tree(wants));
    stage.make_folders();
    return stage;
  };
  {
    Stage stage = begin("r2");
    FileWriter writer = stage.begin_file(*stage.wanted().find_ref("large"));
    writer.write(half);
  }
  site.interrupt("r2");
  const InterruptedSend left = site.interrupted({}, {});
  CHECK(left.begun().contains(base::content_digest(content)));
  Stage stage = begin("r3");
  const sync::EntryRef large = *stage.wanted().find_ref("large");
  const std::optional<Basis> basis = stage.open_basis(large);
  REQUIRE(basis);
  CHECK_FALSE(basis->own);
  CHECK(base::read_to_end(basis->fd.get(), content.size()).substr(0, half.size()) == half);
  // And it may be sent whole.
  FileWriter writer = stage.begin_file(large);
  writer.write(content);
  writer.finish();
  stage.clone_same(stage.wanted().files());
  stage.finish();
  stage.seal({});
  site.activate("r3", "run3");
  site.commit("r3", 5);
  CHECK(list_folder(site.live_path() + "/") == listing_of(wants));
  CHECK_FALSE(fs::exists(site.path() + "/.porter/interrupted"));
}

}  // namespace porter::agent
