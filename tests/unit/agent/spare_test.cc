#include "core/agent/spare.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/catch.h"
#include "tests/unit/agent/site_fixture.h"

namespace porter::agent {
namespace {

using base::TemporaryFolder;
using namespace testing;  // NOLINT

Wants large_tree(const std::string& version) {
  Wants all = {{"app", folder()},
               {"app/version", file(version)},
               {"app/link", link("version")},
               {"closed", folder(0555)},
               {"closed/kept", file("kept\n", 0400)}};
  for (int i = 0; i < 20; ++i)
    all["app/file" + std::to_string(i)] = file("content " + std::to_string(i));
  return all;
}

ino_t inode_of(const std::string& path) {
  struct stat info {};
  REQUIRE(::lstat(path.c_str(), &info) == 0);
  return info.st_ino;
}

struct Spared {
  Spared() {
    REQUIRE_FALSE(site.prepare(options()));
    deploy(site, "r1", large_tree("1"), 1);
    deploy(site, "r2", large_tree("2"), 1);
    deploy(site, "r3", large_tree("3"), 1);  // the live one and the one before it stay
  }
  std::string spare() const { return site.path() + "/.porter/spare"; }
  // How many files were sent or copied: all that is not the spare's own.
  void deploys_right(const Wants& wants) {
    deploy(site, "r4", wants, 1);
    CHECK(list_folder(site.path() + "/current/") == listing_of(wants));
    CHECK_FALSE(site.look().drift.any());
  }

  TemporaryFolder temporary;
  Site site = Site::open(temporary.path() / "site", Layout::releases);
};

}  // namespace

TEST_CASE("the next release is the one that was to go, with what is right in it untouched") {
  Spared at;
  REQUIRE(fs::exists(at.spare()));
  CHECK_FALSE(fs::exists(at.site.path() + "/releases/r1"));
  const ino_t same = inode_of(at.spare() + "/app/file7");
  const ino_t other = inode_of(at.spare() + "/app/version");
  // Held open, so that its number is not given to another file.
  const base::UniqueFd held(::open((at.spare() + "/app/version").c_str(), O_RDONLY));
  at.deploys_right(large_tree("4"));
  CHECK(inode_of(at.site.path() + "/releases/r4/app/file7") == same);
  CHECK(inode_of(at.site.path() + "/releases/r4/app/version") != other);
  CHECK(base::read_to_end(held.get(), 10) == "1");
}

TEST_CASE("nothing that was done to a spare gets into a release") {
  Spared at;
  const std::string app = at.spare() + "/app";
  SECTION("another content of the same size and time") {
    struct stat before {};
    REQUIRE(::stat((app + "/file7").c_str(), &before) == 0);
    const base::UniqueFd fd(::open((app + "/file7").c_str(), O_WRONLY));
    base::write_all(fd.get(), "CONTENT 7");
    const timespec times[2] = {before.st_atim, before.st_mtim};
    REQUIRE(::utimensat(AT_FDCWD, (app + "/file7").c_str(), times, 0) == 0);
  }
  SECTION("files and folders of somebody else") {
    base::write_file(app + "/stray", "stray");
    fs::create_directories(app + "/more/deep");
    base::write_file(app + "/more/deep/stray", "stray");
  }
  SECTION("missing and turned into another kind") {
    fs::remove(app + "/file1");
    fs::remove(app + "/file2");
    fs::create_directory(app + "/file2");
    fs::remove(app + "/link");
    fs::create_symlink("/etc/passwd", app + "/link");
  }
  SECTION("a folder that became a link to elsewhere") {
    fs::rename(app, at.temporary.path() / "elsewhere");
    fs::create_symlink(at.temporary.path() / "elsewhere", app);
    at.deploys_right(large_tree("4"));
    CHECK(fs::exists(at.temporary.path() / "elsewhere/file1"));
    return;
  }
  SECTION("no seal, or a damaged one") {
    if (GENERATE(true, false))
      fs::remove(at.site.path() + "/.porter/spare.seal");
    else
      base::write_file(at.site.path() + "/.porter/spare.seal", "damaged");
  }
  SECTION("other modes") {
    fs::permissions(app + "/file3", fs::perms(0777));
    fs::permissions(app, fs::perms(0500));
  }
  at.deploys_right(large_tree("4"));
}

TEST_CASE("a file that a spare shares with a release stays that release's own") {
  Spared at;
  const std::string live = at.site.path() + "/current/app/file7";
  fs::remove(at.spare() + "/app/file7");
  fs::create_hard_link(live, at.spare() + "/app/file7");
  Wants wants = large_tree("4");
  wants["app/file7"].mode = 0600;
  at.deploys_right(wants);
  struct stat info {};
  REQUIRE(::stat((at.site.path() + "/releases/r3/app/file7").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777U) == 0644U);
}

TEST_CASE("a spare that a process works in is left alone, and the release is made without it") {
  Spared at;
  const ino_t spare = inode_of(at.spare());
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (::chdir(at.spare().c_str()) != 0) ::_exit(1);
    ::raise(SIGSTOP);
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, WUNTRACED) == child);
  REQUIRE(WIFSTOPPED(status));
  at.deploys_right(large_tree("4"));
  CHECK(inode_of(at.spare()) == spare);
  ::kill(child, SIGKILL);
  ::waitpid(child, &status, 0);
  deploy(at.site, "r5", large_tree("5"), 1);
  CHECK(inode_of(at.site.path() + "/releases/r5") == spare);
}

TEST_CASE("who copies wants no spare, and an older one goes") {
  Spared at;
  {
    Stage stage = at.site.begin_stage("r4", "run", Take::copy);
    CHECK(fs::exists(at.spare()));
    fill(stage, large_tree("4"));
    stage.seal({});
  }
  at.site.activate("r4", "run");
  protocol::CommitNote copies;
  copies.link = protocol::LinkMode::copy;
  CHECK(at.site.commit("r4", 1, copies).warnings.empty());
  CHECK_FALSE(fs::exists(at.spare()));
  CHECK_FALSE(fs::exists(at.spare() + ".seal"));
}

}  // namespace porter::agent
