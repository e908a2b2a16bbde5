#include "core/agent/held_folder.h"

#include <sys/stat.h>

#include <algorithm>
#include <random>

#include "core/base/error.h"
#include "core/base/files.h"
#include "tests/support/catch.h"

namespace porter::agent {
namespace {

namespace fs = std::filesystem;

bool is_it(const Beneath* held, const fs::path& folder) {
  struct stat a {};
  struct stat b {};
  return held != nullptr && ::fstat(held->descriptor(), &a) == 0 && ::stat(folder.c_str(), &b) == 0 &&
         a.st_ino == b.st_ino;
}

}  // namespace

TEST_CASE("any folder is found in any order, also deeper than folders are held") {
  const base::TemporaryFolder home;
  std::vector<std::string> paths = {"", "a", "a/b", "a/bc", "a/b/c", "ab", "ab/c"};
  std::string deep = "d";
  for (int i = 0; i < 40; ++i, deep += "/d")
    paths.push_back(deep);
  for (const std::string& path : paths)
    fs::create_directories(home.path() / path);
  const Beneath root = Beneath::open(home.path());
  HeldFolder held(root);
  std::mt19937 random(5);
  for (int round = 0; round < 20; ++round) {
    for (const std::string& path : paths)
      REQUIRE(is_it(held.folder(path), home.path() / path));
    std::shuffle(paths.begin(), paths.end(), random);
  }
}

TEST_CASE("a folder that is not there is none, and a link on the way is refused") {
  const base::TemporaryFolder home;
  fs::create_directories(home.path() / "a/b");
  fs::create_directory_symlink("/", home.path() / "a/link");
  base::write_file(home.path() / "a/file", "");
  const Beneath root = Beneath::open(home.path());
  HeldFolder held(root);
  REQUIRE(held.folder("a") != nullptr);
  CHECK(held.folder("a/x") == nullptr);
  CHECK(held.folder("a/file") == nullptr);
  CHECK(held.descriptor("a/x") == -1);
  CHECK_THROWS_AS(held.folder("a/link"), base::Error);
  CHECK_THROWS_AS(held.folder("a/link/etc"), base::Error);
  CHECK(is_it(held.folder("a/b"), home.path() / "a/b"));
}

}  // namespace porter::agent
