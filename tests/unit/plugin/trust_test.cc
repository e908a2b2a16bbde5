#include "core/plugin/trust.h"

#include <unistd.h>

#include "tests/support/catch.h"
#include "tests/unit/plugin/plugin_fixture.h"

using namespace porter;
using namespace porter::tests;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

struct stat status(uid_t owner, gid_t group, mode_t mode) {
  struct stat made = {};
  made.st_uid = owner;
  made.st_gid = group;
  made.st_mode = mode;
  return made;
}

constexpr uid_t kSelf = 4242001;  // nobody's number
constexpr gid_t kStrangers = 4242002;

std::string fault(uid_t owner, mode_t mode, std::vector<fs::path> trusted = {}) {
  return plugin::fault_of("/srv/plugins/x.so", status(owner, kStrangers, mode), {std::move(trusted), kSelf});
}

}  // namespace

TEST_CASE("owner and mode decide whose code is opened", "[trust]") {
  CHECK(fault(kSelf, S_IFREG | 0644).empty());
  CHECK(fault(0, S_IFREG | 0644).empty());
  CHECK_THAT(fault(kSelf + 7, S_IFREG | 0644), Contains("belongs to user 4242008"));
  CHECK_THAT(fault(kSelf, S_IFREG | 0666), Contains("world-writable (mode 0666)"));
  CHECK_THAT(fault(kSelf, S_IFREG | 0664), Contains("writable by the group 4242002"));
  CHECK_THAT(fault(kSelf, S_IFDIR | 0777), Contains("world-writable"));
  CHECK(fault(0, S_IFDIR | S_ISVTX | 0777).empty());
  CHECK_THAT(fault(kSelf + 7, S_IFDIR | S_ISVTX | 0777), Contains("belongs to"));
  CHECK_THAT(fault(kSelf, S_IFREG | S_ISVTX | 0666), Contains("world-writable"));  // means nothing on a file
}

TEST_CASE("root's own group is private to root", "[trust]") {
  CHECK(plugin::fault_of("/srv/x.so", status(0, 0, S_IFREG | 0664), {{}, kSelf}).empty());
}

TEST_CASE("a private folder's plugin is trusted, under its canonical name", "[trust]") {
  const PluginFolder folder;
  const fs::path file = folder.write("real/x.so", "x");
  fs::create_symlink("real", folder.path() / "link");
  CHECK(plugin::check_trusted(folder.path() / "link/../link/x.so", {}) == fs::canonical(file));
}

TEST_CASE("a writable file or folder above it is refused, with the command that mends it", "[trust]") {
  const PluginFolder folder;
  const fs::path file = folder.write("deep/er/x.so", "x");
  fs::permissions(folder.path() / "deep", fs::perms(0777));
  const base::Error error = error_of([&] { plugin::check_trusted(file, {}); });
  CHECK(error.code() == base::Code::plugin_refused);
  CHECK_THAT(error.message(),
             Contains("folder " + (folder.path() / "deep").string()) && Contains("world-writable"));
  CHECK_THAT(error.hint_text(), Contains("chmod o-w") && Contains((folder.path() / "deep").string()));
  fs::permissions(folder.path() / "deep", fs::perms(0755));
  CHECK_NOTHROW(plugin::check_trusted(file, {}));
  fs::permissions(file, fs::perms(0646));
  CHECK_THAT(error_of([&] { plugin::check_trusted(file, {}); }).message(),
             Contains("the file is world-writable"));
}

TEST_CASE("a group's shared folder is trusted when it is listed", "[trust]") {
  if (::geteuid() != 0) {
    WARN("SKIPPED: only root can give a folder to another group");
    return;
  }
  const PluginFolder folder;
  const fs::path file = folder.write("team/x.so", "x");
  REQUIRE(::chown((folder.path() / "team").c_str(), 0, kStrangers) == 0);
  fs::permissions(folder.path() / "team", fs::perms(0775));
  CHECK_THAT(error_of([&] { plugin::check_trusted(file, {}); }).hint_text(), Contains("chmod g-w"));
  CHECK_NOTHROW(plugin::check_trusted(file, {.trusted = {folder.path() / "team"}}));
  CHECK_THROWS_AS(plugin::check_trusted(file, {.trusted = {folder.path() / "tea"}}), base::Error);
}

TEST_CASE("a foreigner's file is refused", "[trust]") {
  if (::geteuid() != 0) {
    WARN("SKIPPED: only root can give a file away");
    return;
  }
  const PluginFolder folder;
  const fs::path file = folder.write("x.so", "x");
  REQUIRE(::chown(file.c_str(), kSelf, kStrangers) == 0);
  const base::Error error = error_of([&] { plugin::check_trusted(file, {}); });
  CHECK_THAT(error.message(), Contains("belongs to user 4242001"));
  CHECK_THAT(error.hint_text(), Contains("sudo chown"));
}

TEST_CASE("a link in somebody's open folder is refused, whatever it points to", "[trust]") {
  const PluginFolder folder;
  const fs::path file = folder.write("good/x.so", "x");
  fs::create_directory(folder.path() / "open");
  fs::create_symlink(file, folder.path() / "open/x.so");
  CHECK_NOTHROW(plugin::check_trusted(folder.path() / "open/x.so", {}));
  fs::permissions(folder.path() / "open", fs::perms(0777));
  CHECK_THROWS_AS(plugin::check_trusted(folder.path() / "open/x.so", {}), base::Error);
}

TEST_CASE("relative paths, folders and missing files are refused", "[trust]") {
  const PluginFolder folder;
  CHECK_THAT(error_of([] { plugin::check_trusted("x.so", {}); }).message(), Contains("not absolute"));
  CHECK_THAT(error_of([&] { plugin::check_trusted(folder.path(), {}); }).message(),
             Contains("no regular file"));
  CHECK_THAT(error_of([&] { plugin::check_trusted(folder.path() / "none.so", {}); }).message(),
             Contains("No such file"));
}
