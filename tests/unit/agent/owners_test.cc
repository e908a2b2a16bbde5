#include <sys/stat.h>
#include <unistd.h>

#include "core/agent/owner_ids.h"
#include "tests/support/catch.h"
#include "tests/unit/agent/site_fixture.h"

namespace porter::agent {
namespace {

using namespace testing;  // NOLINT

const Wants kWants = {{"d", folder(0750)}, {"d/f", file("content")}, {"d/l", link("f")}, {"f", file("more")}};

sync::PackedExtra owned(std::uint32_t user, std::uint32_t group) {
  return sync::PackedExtra({sync::Owner{{"", user}, {"", group}}, {}});
}

// All belong to one.
sync::Tree tree_of_owner(const Wants& wants, const sync::PackedExtra& owner) {
  sync::Tree tree = make_tree(wants);
  tree.keeps.owners = sync::Owners::numbers;
  for (sync::Folder& folder : tree.folders) {
    folder.extra = owner;
    for (sync::Entry& entry : folder.entries)
      entry.extra = owner;
  }
  tree.seal_digests();
  return tree;
}

// Gives how many files were sent or copied.
std::size_t deploy_of(Site& site, const std::string& id, const Wants& wants, const sync::PackedExtra& owner) {
  Stage stage = site.begin_stage(id, "run-" + id);
  stage.set_wanted(tree_of_owner(wants, owner));
  stage.fit_spare({});
  stage.make_folders();
  std::size_t done = 0;
  for (const sync::EntryRef file : stage.wanted().files())
    done += stage.has(file) ? 0 : 1;
  for (const sync::EntryRef file : stage.clone_same(stage.wanted().files()))
    stage.put_files({{file, wants.at(stage.wanted().path_of(file)).content}});
  stage.make_links();
  stage.finish();
  stage.seal({});
  site.activate(id, "run-" + id);
  site.commit(id, 1);
  return done;
}

std::string owner_at(const std::string& path) {
  struct stat info {};
  REQUIRE(::lstat(path.c_str(), &info) == 0);
  return std::to_string(info.st_uid) + ":" + std::to_string(info.st_gid);
}

std::vector<std::string> owners_at(const std::string& root) {
  std::vector<std::string> all;
  for (const char* path : {"/d", "/d/f", "/d/l", "/f"})
    all.push_back(owner_at(root + path));
  return all;
}

bool is_root() {
  if (::geteuid() == 0) return true;
  WARN("skipped: only root may give files away");
  return false;
}

}  // namespace

TEST_CASE("an owner who is not known here, or whom we may not give files to, is refused with the entry") {
  const auto refusal = [](const sync::PackedExtra& extra) {
    sync::Tree tree = tree_of_owner(kWants, {});
    tree.folders[1].entries[1].extra = extra;
    return tests::error_of([&] { OwnerIds().expect(tree); });
  };
  const base::Error unknown = refusal(sync::PackedExtra({sync::Owner{{"no-such-user", 0}, {"", 0}}, {}}));
  CHECK(unknown.code() == base::Code::refused);
  CHECK(unknown.message() ==
        "d/l: cannot be given to no-such-user:0: this host has no such user or no such group");
  CHECK(unknown.hint_text().find("owners = numbers") != std::string::npos);
  const OrdinaryUser ordinary;
  if (::geteuid() == 0) return;
  const base::Error foreign = refusal(owned(0, ::getegid()));
  CHECK(foreign.message().starts_with("d/l: cannot be given to 0:"));
  CHECK(foreign.hint_text().find("become = root") != std::string::npos);
  CHECK(refusal(owned(::geteuid(), 987654)).message().starts_with("d/l: "));
  sync::Tree own = tree_of_owner(kWants, owned(::geteuid(), ::getegid()));
  CHECK_NOTHROW(OwnerIds().expect(own));
}

TEST_CASE("everything of a release gets its owner, and another owner alone sends nothing") {
  if (!is_root()) return;
  const base::TemporaryFolder temporary;
  Site site = Site::open(temporary.path() / "site", Layout::releases);
  REQUIRE_FALSE(site.prepare(options()));
  const std::string live = site.path() + "/current";
  CHECK(deploy_of(site, "r1", kWants, owned(1001, 1002)) == 2);
  CHECK(owners_at(live) == std::vector<std::string>(4, "1001:1002"));
  CHECK(owner_at(live + "/.") == "1001:1002");
  CHECK_FALSE(site.look().drift.any());
  CHECK(deploy_of(site, "r2", kWants, owned(1003, 1002)) == 2);
  CHECK(owners_at(live) == std::vector<std::string>(4, "1003:1002"));
  CHECK(owner_at(site.path() + "/releases/r1/f") == "1001:1002");
  deploy_of(site, "r3", kWants, owned(1003, 1002));
  // r1 has become the spare: what is right in it stays, and belongs to somebody else now.
  REQUIRE(fs::exists(site.path() + "/.porter/spare"));
  CHECK(deploy_of(site, "r4", kWants, owned(1004, 1002)) == 0);
  CHECK(owners_at(live) == std::vector<std::string>(4, "1004:1002"));
  CHECK_FALSE(site.look().drift.any());
  // Nobody's any more: the spare would bring the owners of then.
  deploy(site, "r5", kWants, 1);
  CHECK(owners_at(live) == std::vector<std::string>(4, owner_at(site.path())));
}

TEST_CASE("another owner is drift, of a file, a folder and a link each") {
  if (!is_root()) return;
  const base::TemporaryFolder temporary;
  Site site = Site::open(temporary.path() / "site", Layout::releases);
  REQUIRE_FALSE(site.prepare(options()));
  deploy_of(site, "r1", kWants, owned(1001, 1002));
  for (const char* path : {"d", "d/f", "d/l"}) {
    REQUIRE(::lchown((site.path() + "/current/" + path).c_str(), 1001, 7) == 0);
    CHECK(site.look().drift.examples == std::vector<std::string>{path});
    REQUIRE(::lchown((site.path() + "/current/" + path).c_str(), 1001, 1002) == 0);
    CHECK_FALSE(site.look().drift.any());
  }
}

TEST_CASE("in place everything gets its owner, and going back gives it back") {
  if (!is_root()) return;
  const base::TemporaryFolder temporary;
  Site site = Site::open(temporary.path() / "site", Layout::inplace);
  REQUIRE_FALSE(site.prepare(options()));
  deploy_of(site, "r1", kWants, owned(1001, 1002));
  CHECK(owners_at(site.path()) == std::vector<std::string>(4, "1001:1002"));
  Stage stage = site.begin_stage("r2", "run2");
  stage.set_wanted(tree_of_owner(kWants, owned(1003, 1002)));
  stage.make_folders();
  CHECK(stage.clone_same(stage.wanted().files()).empty());
  stage.make_links();
  stage.finish();
  stage.seal({});
  site.activate("r2", "run2");
  CHECK(owners_at(site.path()) == std::vector<std::string>(4, "1003:1002"));
  site.revert("r2");
  CHECK(owners_at(site.path()) == std::vector<std::string>(4, "1001:1002"));
  CHECK_FALSE(site.look().drift.any());
  deploy_of(site, "r3", kWants, owned(1003, 1002));
  site.activate("r1", "run4");
  site.commit("r1", 1);
  CHECK(owners_at(site.path()) == std::vector<std::string>(4, "1001:1002"));
  CHECK_FALSE(site.look().drift.any());
}

}  // namespace porter::agent
