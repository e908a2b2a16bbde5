#include "core/agent/beneath.h"

#include <sys/stat.h>
#include <unistd.h>

#include "core/agent/record.h"
#include "core/base/clone.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "tests/support/catch.h"
#include "tests/support/error_of.h"

namespace porter::agent {
namespace {

using base::Code;
using base::TemporaryFolder;
using tests::code_of;

// Runs a test body with the kernel's resolver and with the replacement.
void with_both_resolvers(const std::function<void()>& body) {
  for (const Resolver resolver : {Resolver::automatic, Resolver::components}) {
    use_resolver(resolver);
    body();
  }
  use_resolver(Resolver::automatic);
}

}  // namespace

TEST_CASE("a link on the way is refused and what it leads to stays as it was") {
  with_both_resolvers([] {
    const TemporaryFolder outside;
    base::write_file(outside.path() / "secret", "kept");
    const TemporaryFolder inside;
    REQUIRE(::symlink(outside.path().c_str(), (inside.path() / "way").c_str()) == 0);
    const Beneath root = Beneath::open(inside.path());
    CHECK(code_of([&] { root.open_file("way/secret"); }) == Code::refused);
    CHECK(code_of([&] { root.create_file("way/new"); }) == Code::refused);
    CHECK(code_of([&] { root.remove_file("way/secret"); }) == Code::refused);
    CHECK(code_of([&] { root.make_folder("way/folder"); }) == Code::refused);
    CHECK(code_of([&] { root.set_mode("way", 0777); }) == Code::refused);
    CHECK(code_of([&] { root.folder("way"); }) == Code::refused);
    root.remove_all("way");
    CHECK(base::read_file(outside.path() / "secret") == "kept");
    CHECK(Beneath::open(outside.path()).list().size() == 1);
    CHECK(root.list().empty());
  });
}

TEST_CASE("paths that leave the folder are refused before anything is opened") {
  const TemporaryFolder folder;
  const Beneath root = Beneath::open(folder.path());
  for (const std::string& path : {std::string("../x"), std::string("a/../../x"), std::string("/etc/passwd"),
                                  std::string("a//b"), std::string("."), std::string("a\0b", 3)})
    CHECK(code_of([&] { root.look(path); }) == Code::refused);
}

TEST_CASE("a deep tree with folders that nobody may write is removed") {
  const TemporaryFolder folder;
  const Beneath root = Beneath::open(folder.path());
  std::string path = "top";
  root.make_folder(path);
  for (int depth = 0; depth < 60; ++depth) {
    path += "/d";
    root.make_folder(path);
    base::write_all(root.create_file(path + "/0").get(), "x");
  }
  for (; path.size() > 3; path.resize(path.size() - 2))
    root.set_mode(path, 0500);
  root.remove_all("top");
  CHECK(root.list().empty());
}

TEST_CASE("a small file is replaced in one step and leaves no temporary one") {
  with_both_resolvers([] {
    const TemporaryFolder folder;
    const Beneath root = Beneath::open(folder.path());
    root.make_folders("a/b");
    root.write_small("a/b/note", "one", true);
    root.write_small("a/b/note", "two", true);
    CHECK(root.read_small("a/b/note", 100) == "two");
    CHECK(root.list("a/b").size() == 1);
    CHECK_FALSE(root.read_small("a/c/note", 100).has_value());
  });
}

TEST_CASE("cloned content is the same, also for an empty file") {
  const TemporaryFolder folder;
  const Beneath root = Beneath::open(folder.path());
  for (const std::string& content : {std::string(), std::string(3'000'000, 'y')}) {
    const base::UniqueFd from = root.create_file("from");
    base::write_all(from.get(), content);
    const base::UniqueFd to = root.create_file("to");
    base::clone_content(from.get(), to.get());
    CHECK(root.read_small("to", 10'000'000) == content);
    root.remove_file("from");
    root.remove_file("to");
  }
}

TEST_CASE("a record carries any bytes, and a cut line is no record") {
  Record record;
  record.set("who", "ada lovelace\n=%").set("empty", "").set("bytes", "\xff\x01");
  const std::string line = record.line();
  const std::optional<Record> back = Record::parse(line);
  REQUIRE(back);
  CHECK(back->get("who") == "ada lovelace\n=%");
  CHECK(back->get("bytes") == "\xff\x01");
  CHECK(back->get("absent").empty());
  for (std::size_t cut = 0; cut < line.size(); ++cut)
    CHECK_FALSE(Record::parse(line.substr(0, cut)).has_value());
}

}  // namespace porter::agent
