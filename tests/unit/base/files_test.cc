#include "core/base/files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "core/base/error.h"
#include "tests/support/catch.h"
#include "tests/support/error_of.h"

using namespace porter::base;
namespace fs = std::filesystem;
using porter::tests::error_of;

namespace {

mode_t mode_of(const fs::path& path) {
  struct stat status {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status.st_mode & 07777U;
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

TEST_CASE("a file is replaced as a whole, and nothing is left beside it", "[files]") {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "a";
  write_file(file, "one", 0600);
  CHECK(mode_of(file) == 0600);
  const fs::path other = folder.path() / "b";
  fs::create_hard_link(file, other);
  write_file(file, std::string("t\0wo", 4), 0640, Durable::yes);
  CHECK(read_file(file) == std::string("t\0wo", 4));
  CHECK(mode_of(file) == 0640);
  CHECK(read_file(other) == "one");  // the old file was not written into
  CHECK(names_in(folder.path()) == std::vector<std::string>{"a", "b"});
}

TEST_CASE("a file that cannot be replaced leaves nothing behind", "[files]") {
  const TemporaryFolder folder;
  fs::create_directories(folder.path() / "a" / "b");
  const Error error = error_of([&] { write_file(folder.path() / "a", "x"); });
  CHECK(error.code() == Code::io);
  CHECK(error.message().find(folder.path() / "a") != std::string::npos);
  CHECK(names_in(folder.path()) == std::vector<std::string>{"a"});
}

TEST_CASE("an error names the file that was to be written, not the one beside it", "[files]") {
  const TemporaryFolder folder;
  const fs::path gone = folder.path() / "gone" / "a";
  CHECK(error_of([&] { write_file(gone, "x"); }).message() == gone.string() + ": No such file or directory");
}

TEST_CASE("names as long as a name can be are written, too", "[files]") {
  const TemporaryFolder folder;
  for (const std::size_t length : {247U, 248U, 255U}) {
    const fs::path file = folder.path() / std::string(length, 'n');
    CHECK_NOTHROW(write_file(file, "x"));
    CHECK(read_file(file) == "x");
  }
  CHECK(error_of([&] { write_file(folder.path() / std::string(256, 'n'), "x"); }).code() == Code::io);
  CHECK(names_in(folder.path()).size() == 3);
}

TEST_CASE("a file that is missing, too large or a folder says so", "[files]") {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "a";
  const Error missing = error_of([&] { read_file(file); });
  CHECK(missing.code() == Code::missing);
  CHECK(missing.where().file == file);
  write_file(file, "12345");
  CHECK(error_of([&] { read_file(file, 4); }).code() == Code::refused);
  const Error folder_error = error_of([&] { read_file(folder.path()); });
  CHECK(folder_error.code() == Code::bad_value);
  CHECK(folder_error.where().file == folder.path());
  CHECK(folder_error.message() == "is a folder, a file is expected");
}

TEST_CASE("folders are made with their parents, and may be there already", "[files]") {
  const TemporaryFolder folder;
  const fs::path deep = folder.path() / "a" / "b" / "c";
  make_folders(deep, 0700);
  CHECK_NOTHROW(make_folders(deep));
  CHECK(mode_of(folder.path() / "a") == 0700);
  CHECK(mode_of(deep) == 0700);
}

TEST_CASE("a file in the way of a folder is an error", "[files]") {
  const TemporaryFolder folder;
  write_file(folder.path() / "a", "x");
  CHECK(error_of([&] { make_folders(folder.path() / "a"); }).code() == Code::io);
  CHECK(error_of([&] { make_folders(folder.path() / "a" / "b"); }).code() == Code::io);
}

TEST_CASE("a tree goes whole, closed folders included, and links are not followed", "[files]") {
  const TemporaryFolder folder;
  const fs::path tree = folder.path() / "tree";
  const fs::path kept = folder.path() / "kept";
  make_folders(tree / "closed" / "inner");
  make_folders(kept);
  write_file(kept / "file", "x");
  write_file(tree / "closed" / "inner" / "file", "x");
  fs::create_directory_symlink(kept, tree / "link");
  REQUIRE(::chmod((tree / "closed" / "inner").c_str(), 0000) == 0);
  REQUIRE(::chmod((tree / "closed").c_str(), 0500) == 0);
  remove_tree(tree);
  CHECK(names_in(folder.path()) == std::vector<std::string>{"kept"});
  CHECK(read_file(kept / "file") == "x");
  CHECK_NOTHROW(remove_tree(tree));
}

TEST_CASE("a temporary folder is private and goes with its object", "[files]") {
  fs::path path;
  {
    const TemporaryFolder folder("base-test");
    path = folder.path();
    CHECK(mode_of(path) == 0700);
    make_folders(path / "a" / "b");
  }
  CHECK_FALSE(fs::exists(path));
}
