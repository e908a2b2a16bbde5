#include "core/agent/drift.h"

#include <utime.h>

#include "core/base/text.h"
#include "tests/support/catch.h"
#include "tests/unit/agent/site_fixture.h"

namespace porter::agent {
namespace {

using base::TemporaryFolder;
using protocol::DifferenceKind;
using namespace testing;  // NOLINT

const Wants kTree = {{"app", folder()},
                     {"app/main.py", file("print(1)\n", 0755)},
                     {"app/latest", link("main.py")},
                     {"cache", folder()},
                     {"cache/index", file("empty\n")},
                     {"conf", file("on\n")},
                     {"deep", folder()},
                     {"deep/er", folder()},
                     {"deep/er/file", file("x\n")}};

using Lines = std::vector<std::string>;

// "changed conf: content".
Lines lines_of(const std::vector<protocol::Difference>& all) {
  Lines lines;
  for (const protocol::Difference& difference : all) {
    const char* kind = difference.kind == DifferenceKind::changed   ? "changed "
                       : difference.kind == DifferenceKind::missing ? "missing "
                                                                    : "added ";
    lines.push_back(kind + difference.path + (difference.what.empty() ? "" : ": " + difference.what));
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

Lines differences(const Site& site, Hash hash = Hash::touched, Unlisted unlisted = Unlisted::skip) {
  return lines_of(site.differences("", hash, unlisted));
}

Site deployed(const TemporaryFolder& temporary, Layout layout = Layout::releases) {
  Site site = Site::open(temporary.path() / "site", layout, Durability::none);
  REQUIRE_FALSE(site.prepare(options()));
  deploy(site, "r1", kTree);
  return site;
}

}  // namespace

TEST_CASE("differences say what is other than it was sealed") {
  const TemporaryFolder temporary;
  Site site = deployed(temporary);
  site.release_lock();
  CHECK(differences(site).empty());
  const fs::path live = site.live_path();
  base::write_file(live / "conf", "off\n", 0600);
  fs::permissions(live / "app/main.py", fs::perms(0644));
  fs::remove(live / "app/latest");
  fs::create_symlink("elsewhere", live / "app/latest");
  fs::remove(live / "cache/index");
  fs::create_directory(live / "cache/index");
  fs::remove_all(live / "deep/er");
  base::write_file(live / "app/new.log", "x");
  fs::create_directories(live / "deep/other/below");
  const Lines expected = {"changed app/latest: target",
                          "changed app/main.py: mode 0644, was 0755",
                          "changed cache/index: kind",
                          "changed conf: content, mode 0600, was 0644",
                          "missing deep/er",
                          "missing deep/er/file"};
  CHECK(differences(site) == expected);
  Lines with_added = {"added app/new.log", "added deep/other/"};
  with_added.insert(with_added.end(), expected.begin(), expected.end());
  CHECK(differences(site, Hash::touched, Unlisted::tell) == with_added);
  const Drift drift = site.look().drift;
  CHECK(drift.changed == 4);
  CHECK(drift.missing == 2);
  sync::IgnoreRules generated;
  generated.add_all({"cache/", "*.log", "other/"}, "the test");
  site.set_generated(generated);
  CHECK(differences(site, Hash::touched, Unlisted::tell) ==
        Lines{"changed app/latest: target", "changed app/main.py: mode 0644, was 0755",
              "changed conf: content, mode 0600, was 0644", "missing deep/er", "missing deep/er/file"});
}

TEST_CASE("every byte is read when asked for, whatever the stamp says") {
  const TemporaryFolder temporary;
  Site site = deployed(temporary);
  // A seal with the stamp of the file as it now is stands for a disk that changed bytes by itself.
  base::write_file(site.live_path() + "/conf", "no\n");
  struct stat info {};
  REQUIRE(::stat((site.live_path() + "/conf").c_str(), &info) == 0);
  REQUIRE(site.seal_of("r1"));
  sync::Seal seal = *site.seal_of("r1");
  for (sync::Entry& entry : seal.tree.folders[0].entries) {
    if (entry.name == "conf") entry.stamp = {info.st_ino, mtime_ns(info), ctime_ns(info)};
  }
  base::write_file(site.path() + "/.porter/manifests/r1", sync::encode_seal(seal.header, seal.tree));
  CHECK(differences(site, Hash::touched).empty());
  CHECK(differences(site, Hash::every_file) == Lines{"changed conf: content"});
}

TEST_CASE("a release of any age is compared, and one without a seal says so") {
  const TemporaryFolder temporary;
  Site site = deployed(temporary);
  deploy(site, "r2", {{"only", file("this\n")}});
  base::write_file(site.path() + "/releases/r1/conf", "off\n");
  CHECK(lines_of(site.differences("r1", Hash::touched, Unlisted::tell)) == Lines{"changed conf: content"});
  CHECK(lines_of(site.differences("r2", Hash::touched, Unlisted::tell)).empty());
  CHECK(lines_of(site.differences("r9", Hash::touched, Unlisted::tell)) == Lines{"missing "});
  base::write_file(site.path() + "/.porter/manifests/r2", "damaged");
  CHECK(differences(site) == Lines{"missing "});
  const Site nowhere = Site::open(temporary.path() / "nowhere", Layout::releases);
  CHECK(differences(nowhere) == Lines{"missing "});
  CHECK_FALSE(fs::exists(temporary.path() / "nowhere"));
}

TEST_CASE("an inplace site stands among files of others, which are never told") {
  const TemporaryFolder temporary;
  Site site = deployed(temporary, Layout::inplace);
  base::write_file(site.path() + "/unknown", "x");
  base::write_file(site.path() + "/conf", "off\n");
  CHECK(differences(site, Hash::touched, Unlisted::tell) == Lines{"changed conf: content"});
}

TEST_CASE("the deepest and widest trees are compared") {
  const TemporaryFolder temporary;
  Site site = Site::open(temporary.path() / "site", Layout::releases, Durability::none);
  REQUIRE_FALSE(site.prepare(options()));
  Wants deep = {{"f", folder()}};
  std::string path = "f";
  // 128 folders, the root included, is the most that a tree may have.
  for (int i = 2; i < 128; ++i) {
    path += "/d";
    deep[path] = folder();
  }
  deep[path + "/file"] = file("x\n");
  for (int i = 0; i < 3000; ++i)
    deep["file" + std::to_string(i)] = file("y\n");
  deploy(site, "r1", deep);
  // Deeper than any tree of ours, by somebody else.
  fs::path below = fs::path(site.live_path()) / path / "unknown";
  fs::create_directories(below);
  base::write_file(site.live_path() + "/" + path + "/file", "z\n");
  for (int i = 0; i < 3000; ++i)
    fs::remove(site.live_path() + "/file" + std::to_string(i));
  const auto all = site.differences("", Hash::touched, Unlisted::tell);
  CHECK(all.size() == 3002);
  CHECK(lines_of(all)[0] == "added " + path + "/unknown/");
  CHECK(lines_of(all)[1] == "changed " + path + "/file: content");
}

}  // namespace porter::agent
