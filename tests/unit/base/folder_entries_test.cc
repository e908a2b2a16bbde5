#include "core/base/folder_entries.h"

#include <dirent.h>
#include <fcntl.h>

#include <cerrno>
#include <filesystem>
#include <map>
#include <string>

#include "core/base/fd.h"
#include "core/base/files.h"
#include "tests/support/catch.h"

using namespace porter::base;
namespace fs = std::filesystem;

TEST_CASE("every entry of a folder is given once, with its kind, and again the next time") {
  const TemporaryFolder home;
  std::map<std::string, unsigned char> wanted = {{"folder", DT_DIR}, {"link", DT_LNK}, {"...", DT_REG}};
  fs::create_directory(home.path() / "folder");
  fs::create_symlink("nowhere", home.path() / "link");
  write_file(home.path() / "...", "");
  for (int i = 0; i < 2000; ++i) {
    const std::string name = "a file with quite a long name " + std::to_string(i);
    write_file(home.path() / name, "");
    wanted[name] = DT_REG;
  }
  const UniqueFd fd(::open(home.path().c_str(), O_RDONLY | O_DIRECTORY));
  for (int round = 0; round < 2; ++round) {
    std::map<std::string, unsigned char> found;
    std::size_t count = 0;
    REQUIRE(for_each_entry(fd.get(), [&](const char* name, unsigned char type) {
      found[name] = type == DT_UNKNOWN ? wanted[name] : type;
      ++count;
    }));
    CHECK(found == wanted);
    CHECK(count == wanted.size());
  }
}

TEST_CASE("what is no folder cannot be listed") {
  const TemporaryFolder home;
  write_file(home.path() / "f", "");
  const UniqueFd fd(::open((home.path() / "f").c_str(), O_RDONLY));
  CHECK_FALSE(for_each_entry(fd.get(), [](const char*, unsigned char) {}));
  CHECK(errno == ENOTDIR);
}
