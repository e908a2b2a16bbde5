#include "core/sync/compose.h"

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/sync/walk.h"
#include "tests/support/catch.h"
#include "tests/unit/sync/sample_trees.h"

using namespace porter;
using namespace porter::sync;
using namespace porter::sync::test;
namespace fs = std::filesystem;

namespace {

struct Source {
  base::TemporaryFolder home;
  fs::path root = home.path() / "src";
  fs::path config = home.path() / "config";
  Tree tree;

  Source() {
    put_file(root / "app/main.py", "main");
    put_file(root / "settings.py", "from source");
    put_file(root / "var/uploads/readme", "seed");
    put_file(root / "var/uploads/deep/x", "seed x");
    put_file(root / "var.txt", "v");
    put_file(config / "settings.py", "from config");
    fs::permissions(config / "settings.py", fs::perms(0600));
    tree = walk_folder(root, {});
  }
  Composer composer(std::optional<std::int64_t> mtime = 42) const { return {tree, root.string(), mtime}; }
};

std::string content(const Composed& composed, const std::string& path) {
  const auto ref = composed.tree.find_ref(path);
  REQUIRE(ref);
  const Content found = composed.content_of(*ref);
  return found.bytes ? *found.bytes : base::read_file(found.path);
}

template <class Work>
std::string error_of(Work&& work) {
  try {
    work();
  } catch (const base::Error& error) {
    return error.message();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("composing nothing gives the source back") {
  const Source source;
  Composer composer = source.composer({});
  const Composed composed = composer.finish();
  CHECK(composed.tree == source.tree);
  CHECK(content(composed, "var/uploads/deep/x") == "seed x");
}

TEST_CASE("config files, inline bytes and folders are laid over the source") {
  const Source source;
  Composer composer = source.composer();
  composer.add_file("settings.py", source.config / "settings.py", Layer::config_files, "root.ini:3");
  composer.add_bytes("etc/deep/er/a.conf", std::make_shared<const std::string>("inline"), 0640,
                     Layer::templates, "template a");
  composer.add_folder("logs", 0700, Layer::handlers, "a plugin");
  const Composed composed = composer.finish();
  CHECK(content(composed, "settings.py") == "from config");
  CHECK(composed.tree.find("settings.py")->mode == 0600);
  CHECK(composed.tree.find("settings.py")->digest == base::sha256("from config"));
  CHECK(content(composed, "etc/deep/er/a.conf") == "inline");
  CHECK(composed.tree.find_folder("etc/deep/er")->mode == 0755);
  CHECK(composed.tree.find_folder("logs")->mode == 0700);
  CHECK(content(composed, "app/main.py") == "main");
  for (const Folder& folder : composed.tree.folders)
    for (const Entry& entry : folder.entries)
      CHECK(entry.mtime_ns == 42);
}

TEST_CASE("a later layer replaces an earlier one's file") {
  const Source source;
  Composer composer = source.composer();
  composer.add_file("settings.py", source.config / "settings.py", Layer::config_files, "root.ini:3");
  composer.add_bytes("settings.py", std::make_shared<const std::string>("rendered"), 0644, Layer::templates,
                     "template");
  CHECK(content(composer.finish(), "settings.py") == "rendered");
}

TEST_CASE("a shared link takes a folder's place, and says whether something was there") {
  const Source source;
  Composer composer = source.composer();
  composer.add_bytes("var/uploads/extra", std::make_shared<const std::string>("inline"), 0644,
                     Layer::handlers, "a plugin");
  CHECK(composer.add_link("var/uploads", shared_link_target("var/uploads"), Layer::shared,
                          "[shared] in root.ini:9"));
  CHECK_FALSE(composer.add_link(".env", shared_link_target(".env"), Layer::shared, "[shared]"));
  const Composed composed = composer.finish();
  CHECK(composed.tree.find("var/uploads")->target == "../../../shared/var/uploads");
  CHECK(composed.tree.find(".env")->target == "../../shared/.env");
  CHECK(composed.tree.find_folder("var/uploads") == nullptr);
  CHECK(composed.tree.find("var.txt") != nullptr);
}

TEST_CASE("a conflict names the path and both who want it") {
  const Source source;
  const auto bytes = std::make_shared<const std::string>("x");
  Composer composer = source.composer();
  composer.add_bytes("a", bytes, 0644, Layer::config_files, "first.ini:1");
  CHECK(error_of([&] { composer.add_bytes("a", bytes, 0644, Layer::config_files, "second.ini:2"); }) ==
        "\"a\": two contents: wanted by first.ini:1 and by second.ini:2");
  CHECK(error_of([&] { composer.add_bytes("a/b", bytes, 0644, Layer::handlers, "plugin p"); }) ==
        "\"a\": a file cannot be a folder for \"a/b\" too: wanted by first.ini:1 and by plugin p");
  CHECK(error_of([&] { composer.add_bytes("app", bytes, 0644, Layer::handlers, "plugin p"); }) ==
        "\"app\": a folder and something else: wanted by the source and by plugin p");
  composer.add_link("var/uploads", "t", Layer::shared, "[shared] 1");
  CHECK(error_of([&] { composer.add_bytes("var/uploads/b", bytes, 0644, Layer::handlers, "plugin p"); }) ==
        "\"var/uploads\": a link cannot be a folder for \"var/uploads/b\" too: wanted by [shared] 1 and by "
        "plugin p");
  CHECK(error_of([&] {
          composer.add_link("var", "t", Layer::shared, "[shared] 2");
        }).find("one shared path inside another") != std::string::npos);
  CHECK(error_of([&] { composer.add_link("var/uploads", "t", Layer::shared, "[shared] 2"); }) ==
        "\"var/uploads\": shared twice: wanted by [shared] 1 and by [shared] 2");
}

TEST_CASE("paths that lead out, or are not canonical, are refused") {
  const Source source;
  Composer composer = source.composer();
  for (const char* path : {"", "/etc/passwd", "../x", "a/../b", "a//b", "a/", ".", "a/./b"})
    CHECK_THROWS_AS(
        composer.add_bytes(path, std::make_shared<const std::string>(), 0644, Layer::handlers, "p"),
        base::Error);
  CHECK_THROWS_AS(composer.add_link("l", "", Layer::handlers, "p"), base::Error);
  CHECK(error_of([&] { composer.add_file("x", "/nonexistent/x", Layer::config_files, "root.ini:3"); }) ==
        "/nonexistent/x: there is no such file (wanted by root.ini:3)");
}

TEST_CASE("composing twice gives the same tree, also where times count") {
  Source source;
  source.tree.identity = Identity::with_mtime;
  source.tree.seal_digests();
  const auto compose = [&] {
    Composer composer = source.composer({});
    composer.add_bytes("new/file", std::make_shared<const std::string>("x"), 0644, Layer::templates, "t");
    return composer.finish().tree;
  };
  CHECK(compose() == compose());
  CHECK(compose().find("new/file")->mtime_ns > 0);
}
