// A disk without a byte left, and a deploy that has to go back. Mounts a small tmpfs, which needs root.
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include "tests/support/catch.h"
#include "tests/unit/agent/outside_fixture.h"

namespace porter::agent {
namespace {

using base::TemporaryFolder;
using namespace testing;  // NOLINT

const Wants kTree = {{"app", file("x\n")}};

class SmallDisk {
 public:
  SmallDisk() {
    // Nobody but this process sees the mount.
    mounted_ = ::unshare(CLONE_NEWNS) == 0 &&
               ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
               ::mount("none", path().c_str(), "tmpfs", 0, "size=512k,mode=755") == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(path().c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool mounted() const { return mounted_; }
  const fs::path& path() const { return folder_.path(); }
  void fill_up() const {
    struct statvfs info {};
    REQUIRE(::statvfs(path().c_str(), &info) == 0);
    const base::UniqueFd fd(::open((path() / "filler").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    REQUIRE(::posix_fallocate(fd.get(), 0, static_cast<off_t>(info.f_bfree * info.f_frsize)) == 0);
    CHECK(code_of([&] { base::write_file(path() / "one more", "byte"); }) == base::Code::no_space);
    fs::remove(path() / "one more");
  }

 private:
  TemporaryFolder folder_;
  bool mounted_ = false;
};

}  // namespace

TEST_CASE("on a full disk a failed release goes, the old one is live and files outside are as they were") {
  const SmallDisk disk;
  if (!disk.mounted()) {
    WARN("skipped: this user may not mount a tmpfs");
    return;
  }
  const std::string conf = disk.path() / "conf";
  base::write_file(conf, std::string(9000, 'o'), 0640);
  Site site = Site::open(disk.path() / "site", Layout::releases);
  REQUIRE_FALSE(site.prepare(options()));
  deploy(site, "r1", kTree);
  send(site, "r2", kTree);
  install(site, "r2", conf, "new");
  site.place_files("r2");
  site.activate("r2", "run2");
  REQUIRE(base::read_file(conf) == "new");
  disk.fill_up();
  site.revert("r2", "health check");
  CHECK(site.look().current == "r1");
  CHECK(list_folder(disk.path()).at("conf") == "file:0640:" + std::string(9000, 'o'));
  CHECK_FALSE(fs::exists(disk.path() / "site/releases/r2"));
  CHECK(site.look().leftovers == 0);
}

TEST_CASE("on a full disk an inplace tree comes back, too") {
  const SmallDisk disk;
  if (!disk.mounted()) {
    WARN("skipped: this user may not mount a tmpfs");
    return;
  }
  Site site = Site::open(disk.path() / "site", Layout::inplace);
  REQUIRE_FALSE(site.prepare(options()));
  // Of files without content nothing comes free.
  const Wants old = {{"app", file("")}};
  deploy(site, "r1", old);
  send(site, "r2", {{"app", file("", 0600)}, {"new", file("")}});
  site.activate("r2", "run2");
  disk.fill_up();
  site.revert("r2", "health check");
  CHECK(list_folder(site.path()) == listing_of(old));
  CHECK(site.look().current == "r1");
  CHECK(site.look().leftovers == 0);
}

TEST_CASE("on a full disk the history learns of a way back once the failed release has made room") {
  const SmallDisk disk;
  if (!disk.mounted()) {
    WARN("skipped: this user may not mount a tmpfs");
    return;
  }
  Site site = Site::open(disk.path() / "site", Layout::releases);
  REQUIRE_FALSE(site.prepare(options()));
  deploy(site, "r1", kTree);
  send(site, "r2", kTree);
  site.activate("r2", "run2");
  // The next line needs a block of its own.
  const fs::path history = disk.path() / "site/.porter/history";
  const std::string lines = base::read_file(history);
  base::write_file(history, lines + std::string(4096 - lines.size() % 4096, '\n'));
  disk.fill_up();
  site.revert("r2", "health check");
  CHECK(site.look().current == "r1");
  CHECK(site.history().back().action == "revert");
  CHECK(site.history().back().message == "health check");
}

}  // namespace porter::agent
