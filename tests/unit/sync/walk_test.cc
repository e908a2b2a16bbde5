#include "core/sync/walk.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/files.h"
#include "tests/support/catch.h"
#include "tests/unit/sync/sample_trees.h"

using namespace porter;
using namespace porter::sync;
using namespace porter::sync::test;
namespace fs = std::filesystem;

namespace {

WalkOptions stamped() {
  WalkOptions options;
  options.stamps = Stamps::yes;
  return options;
}

std::string refusal_of(const fs::path& folder, const WalkOptions& options = {}) {
  try {
    walk_folder(folder, options);
  } catch (const base::Error& error) {
    CHECK(error.code() == base::Code::refused);
    return error.message();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("a walk sees names of all bytes, links of all sorts and empty folders") {
  const base::TemporaryFolder home;
  const fs::path root = home.path() / "root";
  const std::vector<std::string> names = {"with blank", "new\nline", "-rf", "--",    "\xFF\xFE",
                                          ".hidden",    "tab\t",     "*",   "'\"\\", std::string(255, 'n')};
  for (const std::string& name : names)
    put_file(root / name, name);
  fs::create_directories(root / "empty/er");
  put_file(home.path() / "outside/secret", "x");
  fs::create_symlink("../outside", root / "l-folder");
  fs::create_symlink("/etc/passwd", root / "l-absolute");
  fs::create_symlink("nowhere\n", root / "l-dangling");
  fs::create_symlink("l-loop", root / "l-loop");
  const timespec times[2] = {{0, UTIME_OMIT}, {7, 5}};
  REQUIRE(::utimensat(AT_FDCWD, (root / "l-loop").c_str(), times, AT_SYMLINK_NOFOLLOW) == 0);
  const Tree tree = walk_folder(root, {});
  CHECK(tree.folders[0].entries.size() == names.size() + 5);
  for (const std::string& name : names) {
    REQUIRE(tree.find(name) != nullptr);
    CHECK(tree.find(name)->digest == base::sha256(name));
    CHECK(tree.find(name)->size == name.size());
  }
  CHECK(tree.find("l-folder")->kind == Kind::link);
  CHECK(tree.find("l-folder")->target == "../outside");
  CHECK(tree.find("l-absolute")->target == "/etc/passwd");
  CHECK(tree.find("l-dangling")->target == "nowhere\n");
  CHECK(tree.find("l-loop")->target == "l-loop");
  CHECK(tree.find("l-loop")->mtime_ns == 7'000'000'005);
  CHECK(tree.find_folder("empty/er")->entries.empty());
  CHECK_NOTHROW(check_canonical(tree));
}

TEST_CASE("modes are taken exactly, without the dangerous bits, or normalised") {
  const base::TemporaryFolder home;
  put_file(home.path() / "d/tool", "x");
  put_file(home.path() / "d/data", "x");
  fs::permissions(home.path() / "d/data", fs::perms(0640));
  REQUIRE(::chmod((home.path() / "d/tool").c_str(), 04751) == 0);
  REQUIRE(::chmod((home.path() / "d").c_str(), 02750) == 0);
  const auto modes = [&](ModePolicy policy) {
    WalkOptions options;
    options.modes = policy;
    const Tree tree = walk_folder(home.path(), options);
    return std::vector<std::uint32_t>{tree.find("d")->mode, tree.find("d/tool")->mode,
                                      tree.find("d/data")->mode};
  };
  CHECK(modes(ModePolicy::exact) == std::vector<std::uint32_t>{02750, 04751, 0640});
  CHECK(modes(ModePolicy::preserve) == std::vector<std::uint32_t>{0750, 0751, 0640});
  CHECK(modes(ModePolicy::normalise) == std::vector<std::uint32_t>{0755, 0755, 0644});
}

TEST_CASE("what is ignored or left out is not visited, and pipes are refused by name and never opened") {
  const base::TemporaryFolder home;
  put_file(home.path() / "keep", "1");
  put_file(home.path() / ".git/objects/x", "1");
  put_file(home.path() / ".porter/lock", "1");
  REQUIRE(::mkfifo((home.path() / ".git/pipe").c_str(), 0600) == 0);
  const IgnoreRules rules = IgnoreRules::standard();
  WalkOptions options;
  options.ignore = &rules;
  options.without = {".porter"};
  CHECK(walk_folder(home.path(), options).folders.size() == 1);
  CHECK(walk_folder(home.path(), options).file_count() == 1);

  REQUIRE(::mkfifo((home.path() / "pi\npe").c_str(), 0600) == 0);
  put_file(home.path() / "sub/f", "1");
  REQUIRE(::mkfifo((home.path() / "sub/pipe").c_str(), 0600) == 0);
  REQUIRE(::mknod((home.path() / "sub/socket").c_str(), S_IFSOCK | 0600, 0) == 0);
  const std::string message = refusal_of(home.path(), options);  // opening a pipe would hang here
  INFO(message);
  CHECK(message.find("pi\\x0ape (pipe), sub/pipe (pipe), sub/socket (socket)") != std::string::npos);
  options.special = SpecialFiles::skip;
  CHECK(walk_folder(home.path(), options).file_count() == 2);
}

TEST_CASE("files with an unchanged stamp are not read again, and every change shows") {
  const base::TemporaryFolder home;
  for (int i = 0; i < 40; ++i)
    put_file(home.path() / ("d" + std::to_string(i % 4)) / std::to_string(i), "content " + std::to_string(i));
  WalkCounts counts;
  const Tree first = walk_folder(home.path(), stamped(), &counts);
  CHECK(counts.files_hashed == 40);
  WalkOptions again = stamped();
  again.known = &first;
  const Tree second = walk_folder(home.path(), again, &counts);
  CHECK(counts.files_hashed == 0);
  CHECK(counts.files_trusted == 40);
  CHECK(second == first);

  // Same size, and the old time put back: only ctime tells.
  struct stat before {};
  REQUIRE(::stat((home.path() / "d1/1").c_str(), &before) == 0);
  const base::UniqueFd fd(::open((home.path() / "d1/1").c_str(), O_WRONLY));
  base::write_all(fd.get(), "CONTENT");
  const struct timespec times[2] = {before.st_atim, before.st_mtim};
  REQUIRE(::futimens(fd.get(), times) == 0);
  const Tree third = walk_folder(home.path(), again, &counts);
  CHECK(counts.files_hashed == 1);
  CHECK(third.find("d1/1")->digest == base::sha256("CONTENT 1"));
}

TEST_CASE("a change right after a walk is never hidden by a stamp of the same moment") {
  const base::TemporaryFolder home;
  for (int i = 0; i < 30; ++i) {
    put_file(home.path() / "f", "a" + std::to_string(i));
    const Tree first = walk_folder(home.path(), stamped());
    const base::UniqueFd fd(::open((home.path() / "f").c_str(), O_WRONLY));
    base::write_all(fd.get(), "b");
    WalkOptions again = stamped();
    again.known = &first;
    REQUIRE(walk_folder(home.path(), again).find("f")->digest == base::sha256("b" + std::to_string(i)));
  }
}

TEST_CASE("a file that never holds still ends the walk and is named") {
  const base::TemporaryFolder home;
  const fs::path file = home.path() / "busy";
  put_file(file, "x");
  fs::resize_file(file, 64U << 20U);  // reading it lasts longer than a busy machine keeps the writer waiting
  std::atomic<bool> stop{false};
  std::atomic<bool> begun{false};
  std::thread writer([&] {
    const base::UniqueFd fd(::open(file.c_str(), O_WRONLY));
    for (char c = 0; !stop; ++c, begun = true)
      if (::pwrite(fd.get(), &c, 1, 0) != 1) std::abort();
  });
  while (!begun)
    std::this_thread::yield();
  std::string message;
  try {
    walk_folder(home.path(), {});
  } catch (const base::Error& error) {
    message = error.message();
  }
  stop = true;
  writer.join();
  CHECK(message == file.string() + ": changed while it was read, 3 times in a row");
}

TEST_CASE("a folder too deep is refused and a missing one is named") {
  const base::TemporaryFolder home;
  std::string path = home.path() / "root";
  for (int i = 0; i < 130; ++i)
    path += "/d";
  fs::create_directories(path);
  CHECK(refusal_of(home.path() / "root").find("more than 128 folders deep") != std::string::npos);
  CHECK_THROWS_WITH(walk_folder((home.path() / "none").string(), {}),
                    (home.path() / "none").string() + ": there is no such folder");
}

TEST_CASE("a cancelled walk is interrupted") {
  const base::TemporaryFolder home;
  put_file(home.path() / "f", "x");
  WalkOptions options;
  options.cancel.cancel();
  CHECK_THROWS_AS(walk_folder(home.path(), options), base::Interrupted);
}

TEST_CASE("a folder of many files and folders is walked with few descriptors") {
  const base::TemporaryFolder home;
  for (int i = 0; i < 600; ++i)
    put_file(home.path() / std::to_string(i % 300) / std::to_string(i), std::to_string(i));
  struct rlimit before {};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const struct rlimit few { 120, before.rlim_max };
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  const Tree tree = walk_folder(home.path(), stamped());
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(tree.file_count() == 600);
  CHECK(tree.folders.size() == 301);
  CHECK(tree.find("7/307")->digest == base::sha256("307"));
}
