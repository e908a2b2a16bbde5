#include "core/source/folder_source.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "tests/support/catch.h"
#include "tests/unit/source/test_repository.h"

using namespace porter;
using source::Checkout;
using source::RefKind;
using test::listing;
using Names = std::vector<std::string>;
namespace fs = std::filesystem;

namespace {

struct FolderWorld {
  FolderWorld() { fs::create_directory(module_folder()); }
  fs::path module_folder() const { return folder.path() / "module"; }
  source::SourceRequest request(std::string url, RefKind kind = RefKind::default_ref,
                                std::string ref = "") const {
    return {std::move(url), module_folder(), kind, std::move(ref), folder.path() / "cache", "module"};
  }
  Checkout checkout(std::string url) const {
    return source::make_source(request(std::move(url)))->checkout({});
  }
  void put(const std::string& name) const {
    fs::create_directories((module_folder() / name).parent_path());
    base::write_file(module_folder() / name, name);
  }
  base::TemporaryFolder folder{"porter-folder-test"};
};

struct stat look(const fs::path& path) {
  struct stat status {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status;
}

}  // namespace

TEST_CASE("Without an url the module's src folder is taken, or else its repo folder") {
  const FolderWorld world;
  const base::Error error = test::error_of([&] { world.checkout(""); });
  CHECK(error.code() == base::Code::missing);
  CHECK(error.message().find("neither [scm] url nor a src/ or repo/ folder") != std::string::npos);
  world.put("repo/a");
  CHECK(world.checkout("").tree == world.module_folder() / "repo");
  world.put("src/a");
  const Checkout checkout = world.checkout("");
  CHECK(checkout.tree == world.module_folder() / "src");
  CHECK(checkout.version == "folder src");
  CHECK(checkout.commit.empty());
  CHECK(checkout.identity == Checkout::Identity::plain_folder);
  CHECK_FALSE(checkout.is_private_copy);
}

TEST_CASE("A plain folder is taken where it is, relative to the module") {
  const FolderWorld world;
  world.put("../shared/a");
  CHECK(world.checkout("file://../shared").tree == world.folder.path() / "shared");
  CHECK(world.checkout("file://" + (world.folder.path() / "shared").string()).tree ==
        world.folder.path() / "shared");
  const base::Error error = test::error_of([&] { world.checkout("file://shraed"); });
  CHECK(error.code() == base::Code::missing);
  CHECK(error.message() ==
        "module module: there is no folder " + (world.module_folder() / "shraed").string());
}

TEST_CASE("A plain folder knows versions, but neither branches nor tags") {
  const FolderWorld world;
  world.put("src/a");
  CHECK(source::make_source(world.request("", RefKind::version, "7"))->checkout({}).version == "7");
  for (const RefKind kind : {RefKind::branch, RefKind::tag}) {
    CHECK(test::error_of([&] { source::make_source(world.request("", kind, "x")); }).code() ==
          base::Code::bad_value);
  }
}

TEST_CASE("none:// is a version without files") {
  const FolderWorld world;
  const auto source = source::make_source(world.request("none://", RefKind::version, "1.10"));
  CHECK(source->pin({}).empty());
  const Checkout checkout = source->checkout({});
  CHECK(checkout.version == "1.10");
  CHECK(checkout.tree.empty());
  CHECK(test::error_of([&] { source::make_source(world.request("none://")); }).code() ==
        base::Code::bad_value);
}

TEST_CASE("A private copy has the same names, contents, modes and times, and the original stays as it is") {
  const FolderWorld world;
  for (const char* name : {"src/sub/file", "src/-rf", "src/new\nline", "src/\xff"})
    world.put(name);
  fs::create_directory(world.module_folder() / "src/empty");
  fs::create_symlink("../nowhere", world.module_folder() / "src/link");
  const fs::path file = world.module_folder() / "src/sub/file";
  REQUIRE(::chmod(file.c_str(), 0640) == 0);
  const timespec times[] = {{1000, 5}, {1234567, 123456789}};
  REQUIRE(::utimensat(AT_FDCWD, file.c_str(), times, 0) == 0);
  REQUIRE(::utimensat(AT_FDCWD, (world.module_folder() / "src/sub").c_str(), times, 0) == 0);
  REQUIRE(::utimensat(AT_FDCWD, (world.module_folder() / "src/link").c_str(), times, AT_SYMLINK_NOFOLLOW) ==
          0);

  const Checkout original = world.checkout("");
  const Checkout copy = source::make_private(original, world.folder.path() / "private/copy", {});
  CHECK(copy.is_private_copy);
  CHECK(copy.version == original.version);
  CHECK(copy.identity == Checkout::Identity::plain_folder);
  CHECK(listing(copy.tree) == listing(original.tree));
  for (const char* name : {"sub", "sub/file", "link"}) {
    CAPTURE(name);
    CHECK(look(copy.tree / name).st_mode == look(original.tree / name).st_mode);
    CHECK(look(copy.tree / name).st_mtim.tv_sec == 1234567);
    CHECK(look(copy.tree / name).st_mtim.tv_nsec == 123456789);
  }
  base::write_file(copy.tree / "sub/file", "changed");
  CHECK(base::read_file(file) == "src/sub/file");
}

TEST_CASE("A private copy replaces what an earlier run left in its place") {
  const FolderWorld world;
  world.put("src/file");
  const fs::path target = world.folder.path() / "copy";
  source::make_private(world.checkout(""), target, {});
  base::write_file(target / "left", "x");
  CHECK(listing(source::make_private(world.checkout(""), target, {}).tree) == Names{"file=src/file"});
  Checkout none;
  CHECK(listing(source::make_private(none, target, {}).tree).empty());
}

TEST_CASE("A private copy within the folder itself, or around it, is refused and removes nothing") {
  const FolderWorld world;
  world.put("src/file");
  const Checkout original = world.checkout("");
  for (const fs::path& target :
       {world.module_folder() / "src", world.module_folder() / "src/build", world.module_folder()}) {
    CHECK(test::error_of([&] { source::make_private(original, target, {}); }).code() == base::Code::internal);
  }
  CHECK(listing(original.tree) == Names{"file=src/file"});
}

TEST_CASE("Pipes have no copy, and are not opened") {
  const FolderWorld world;
  world.put("src/file");
  REQUIRE(::mkfifo((world.module_folder() / "src/fifo").c_str(), 0600) == 0);
  const Checkout copy = source::make_private(world.checkout(""), world.folder.path() / "copy", {});
  CHECK(listing(copy.tree) == Names{"file=src/file"});
}
