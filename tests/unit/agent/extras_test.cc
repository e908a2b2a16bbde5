#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <set>

#include "core/agent/owner_ids.h"
#include "core/base/text.h"
#include "tests/support/catch.h"
#include "tests/unit/agent/site_fixture.h"

namespace porter::agent {
namespace {

using namespace testing;  // NOLINT

const Wants kWants = {{"d", folder(0750)}, {"d/f", file("content")}, {"d/l", link("f")}, {"f", file("more")}};

sync::PackedExtra owned(std::uint32_t user, std::uint32_t group) {
  return sync::PackedExtra({sync::Owner{{"", user}, {"", group}}, {}});
}

sync::PackedExtra with_attributes(std::vector<sync::Attribute> attributes) {
  return sync::PackedExtra({{}, std::move(attributes)});
}

struct FreshSite {
  explicit FreshSite(Layout layout) : site(Site::open(temporary.path() / "site", layout)) {
    REQUIRE_FALSE(site.prepare(options()));
  }
  base::TemporaryFolder temporary;
  Site site;
};

// All belong to one.
sync::Tree tree_of_owner(const Wants& wants, const sync::PackedExtra& owner) {
  sync::Tree tree = make_tree(wants);
  tree.keeps = {sync::Owners::numbers, true};
  for (sync::Folder& folder : tree.folders) {
    folder.extra = owner;
    for (sync::Entry& entry : folder.entries)
      if (entry.kind != sync::Kind::link || owner.unpack().attributes.empty()) entry.extra = owner;
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

// "user.a=1 user.b=", of a file and a folder; nothing else about these is of interest here.
std::string attributes_at(const std::string& path) {
  std::array<char, 1024> names{};
  const ssize_t length = ::listxattr(path.c_str(), names.data(), names.size());
  std::set<std::string> found;
  for (const char* name = names.data(); name < names.data() + length; name += std::strlen(name) + 1) {
    std::array<char, 1024> value{};
    const ssize_t size = ::getxattr(path.c_str(), name, value.data(), value.size());
    found.insert(std::string(name) + "=" + std::string(value.data(), static_cast<std::size_t>(size)));
  }
  return base::join({found.begin(), found.end()}, " ");
}

bool takes_attributes(const fs::path& folder) {
  if (::setxattr(folder.c_str(), "user.try", "", 0, 0) == 0) return true;
  WARN("skipped: the file system keeps no attributes");
  return false;
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
  FreshSite fresh(Layout::releases);
  Site& site = fresh.site;
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
  FreshSite fresh(Layout::releases);
  Site& site = fresh.site;
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
  FreshSite fresh(Layout::inplace);
  Site& site = fresh.site;
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

TEST_CASE("files and folders have the attributes that are wanted, whatever they had, and content stays") {
  const base::TemporaryFolder temporary;
  if (!takes_attributes(temporary.path())) return;
  const OrdinaryUser ordinary;  // whom a mode keeps from writing attributes
  const base::TemporaryFolder own;
  const Wants wants = {{"d", folder(0555)}, {"d/f", file("content", 0444)}, {"d/l", link("f")}};
  Site site = Site::open(own.path() / "site", Layout::releases);
  REQUIRE_FALSE(site.prepare(options()));
  const std::string live = site.path() + "/current";
  const auto check = [&](const std::string& attributes) {
    CHECK(attributes_at(live + "/d") == attributes);
    CHECK(attributes_at(live + "/d/f") == attributes);
    CHECK(list_folder(live + "/") == listing_of(wants));
    CHECK_FALSE(site.look().drift.any());
  };
  deploy_of(site, "r1", wants, with_attributes({{"user.a", "1"}, {"user.b", ""}}));
  check("user.a=1 user.b=");
  for (const char* id : {"r2", "r3"})
    CHECK(deploy_of(site, id, wants, with_attributes({{"user.a", "2"}})) == 1);
  check("user.a=2");
  REQUIRE(fs::exists(site.path() + "/.porter/spare"));
  CHECK(deploy_of(site, "r4", wants, with_attributes({{"user.b", "3"}})) == 0);  // r1's own files
  check("user.b=3");
  CHECK(deploy_of(site, "r5", wants, {}) == 0);
  check("");
}

TEST_CASE("what has the wanted attributes is not written again") {
  FreshSite fresh(Layout::releases);
  if (!takes_attributes(fresh.temporary.path())) return;
  Site& site = fresh.site;
  const sync::PackedExtra extra = with_attributes({{"user.a", "1"}});
  for (const char* id : {"r1", "r2", "r3"})
    deploy_of(site, id, kWants, extra);
  struct stat before {};
  REQUIRE(::stat((site.path() + "/.porter/spare/d/f").c_str(), &before) == 0);
  deploy_of(site, "r4", kWants, extra);
  struct stat after {};
  REQUIRE(::stat((site.path() + "/current/d/f").c_str(), &after) == 0);
  CHECK(after.st_ino == before.st_ino);
  CHECK(ctime_ns(after) == ctime_ns(before));
}

TEST_CASE("another attribute is drift, of a file and a folder, and what nobody keeps is none") {
  FreshSite fresh(Layout::releases);
  if (!takes_attributes(fresh.temporary.path())) return;
  Site& site = fresh.site;
  deploy_of(site, "r1", kWants, with_attributes({{"user.a", "1"}}));
  for (const char* path : {"d", "d/f"}) {
    const std::string at = site.path() + "/current/" + path;
    REQUIRE(::setxattr(at.c_str(), "user.b", "", 0, 0) == 0);
    CHECK(site.look().drift.examples == std::vector<std::string>{path});
    REQUIRE(::removexattr(at.c_str(), "user.b") == 0);
    CHECK_FALSE(site.look().drift.any());
    if (::geteuid() == 0) REQUIRE(::setxattr(at.c_str(), "trusted.other", "", 0, 0) == 0);
    CHECK_FALSE(site.look().drift.any());
  }
}

TEST_CASE("in place attributes come and go, and going back brings them back") {
  FreshSite fresh(Layout::inplace);
  if (!takes_attributes(fresh.temporary.path())) return;
  Site& site = fresh.site;
  const auto check = [&](const std::string& attributes) {
    CHECK(attributes_at(site.path() + "/d") == attributes);
    CHECK(attributes_at(site.path() + "/d/f") == attributes);
    CHECK_FALSE(site.look().drift.any());
  };
  deploy_of(site, "r1", kWants, with_attributes({{"user.a", "1"}}));
  check("user.a=1");
  Stage stage = site.begin_stage("r2", "run2");
  stage.set_wanted(tree_of_owner(kWants, with_attributes({{"user.b", "2"}})));
  stage.make_folders();
  CHECK(stage.clone_same(stage.wanted().files()).empty());
  stage.make_links();
  stage.finish();
  stage.seal({});
  site.activate("r2", "run2");
  CHECK(attributes_at(site.path() + "/d") == "user.b=2");
  CHECK(attributes_at(site.path() + "/d/f") == "user.b=2");
  site.revert("r2");
  check("user.a=1");
  deploy_of(site, "r3", kWants, with_attributes({{"user.b", "3"}}));
  check("user.b=3");
  site.activate("r1", "run4");
  site.commit("r1", 1);
  check("user.a=1");
}

TEST_CASE("an attribute that may not be set is refused with the file, and what may set it") {
  const base::TemporaryFolder temporary;
  if (!takes_attributes(temporary.path())) return;
  const OrdinaryUser ordinary;
  if (::geteuid() == 0) return;
  const base::TemporaryFolder own;
  Site site = Site::open(own.path() / "site", Layout::releases);
  REQUIRE_FALSE(site.prepare(options()));
  const std::string bind(std::string("\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20));
  const base::Error error = tests::error_of([&] {
    deploy_of(site, "r1", {{"tool", file("x")}}, with_attributes({{"security.capability", bind}}));
  });
  CHECK(error.message().find("/tool: attribute security.capability: ") != std::string::npos);
  CHECK(error.hint_text().find("become = root") != std::string::npos);
}

}  // namespace porter::agent
