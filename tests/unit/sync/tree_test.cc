#include "core/sync/tree.h"

#include "core/base/error.h"
#include "tests/support/catch.h"
#include "tests/unit/sync/sample_trees.h"

using namespace porter;
using namespace porter::sync;
using namespace porter::sync::test;

TEST_CASE("paths are ordered by their components, not by their bytes") {
  CHECK(compare_paths("a", "a/b") < 0);
  CHECK(compare_paths("a/b", "a.b") < 0);
  CHECK(compare_paths("a-", "a/z") > 0);
  CHECK(compare_paths("a/\x01", "a\x01") < 0);
  CHECK(compare_paths("\xFF", "z") > 0);
  CHECK(compare_paths("a/b", "a/b") == 0);
  CHECK(compare_paths("", "a") < 0);
}

TEST_CASE("what two paths begin with in common is found to the byte, wherever it ends") {
  const std::string path = "node_modules/some-package/lib/index.js";
  for (std::size_t at = 0; at < path.size(); ++at) {
    std::string other = path;
    other[at] = '\xff';
    CHECK(shared_length(path, other) == at);
    CHECK(compare_paths(path, other) < 0);
    CHECK(compare_paths(other, path) > 0);
    CHECK(shared_length(path, path.substr(0, at)) == at);
    CHECK(compare_paths(path.substr(0, at), path) < 0);
  }
  CHECK(shared_length(path, path) == path.size());
  CHECK(compare_paths(path, path) == 0);
}

TEST_CASE("each folder's parent is known, and one that is missing is told") {
  Tree tree;
  for (const char* path : {"", "a", "a/b", "a/b/c", "a/d", "e"}) {
    tree.folders.emplace_back();
    tree.folders.back().path = path;
  }
  CHECK(tree.parents() == std::vector<std::uint32_t>{0, 0, 1, 2, 1, 0});
  tree.folders.erase(tree.folders.begin() + 2);
  CHECK_THROWS_AS(tree.parents(), base::Error);
}

TEST_CASE("the digest of a small tree is the documented one") {
  // The worked example of docs/formats.md: change both, or neither, and then the format's version.
  const Tree tree = tree_of({{"bin/run", "#!/bin/sh\n"}, {"run@", "bin/run"}});
  CHECK(base::to_hex(tree.root_digest()) ==
        "5911d28f8633f6304a0221da81b5f1429a048061461d310078cd0e2a29f3eb7f");
}

TEST_CASE("a folder's digest covers names, kinds, modes, contents and targets, and times only when asked") {
  const Tree plain = tree_of({{"a/f", "1"}, {"a/l@", "f"}, {"b/f", "1"}});
  const auto changed = [&](auto change, Identity identity) {
    Tree before = plain;
    before.identity = identity;
    before.seal_digests();
    Tree after = before;
    change(after);
    after.seal_digests();
    CHECK(after.find_folder("b")->digest == before.find_folder("b")->digest);
    return after.root_digest() != before.root_digest();
  };
  const auto always = Identity::content_only;
  CHECK(changed([](Tree& t) { t.folders[1].entries[0].name = "e"; }, always));
  CHECK(changed([](Tree& t) { t.folders[1].entries[0].mode = 0600; }, always));
  CHECK(changed([](Tree& t) { t.folders[1].entries[0].digest[31] ^= 1; }, always));
  CHECK(changed([](Tree& t) { t.folders[1].entries[0].size = 9; }, always));
  CHECK(changed([](Tree& t) { t.folders[1].entries[1].target = "g"; }, always));
  CHECK(changed([](Tree& t) { t.folders[1].mode = 0700; }, always));
  CHECK(changed([](Tree& t) { t.folders[0].mode = 0700; }, always));
  CHECK_FALSE(changed([](Tree& t) { t.folders[1].entries[0].mtime_ns = 5; }, always));
  CHECK(changed([](Tree& t) { t.folders[1].entries[0].mtime_ns = 5; }, Identity::with_mtime));
  CHECK(changed([](Tree& t) { t.folders[1].entries[1].mtime_ns = 5; }, Identity::with_mtime));
  CHECK_FALSE(changed([](Tree& t) { t.folders[1].entries[1].mtime_ns = 5; }, Identity::with_file_mtime));
  CHECK_FALSE(changed([](Tree& t) { t.folders[1].entries[1].mtime_ns = 5; }, always));
  CHECK_FALSE(changed([](Tree& t) { t.folders[1].mtime_ns = 5; }, Identity::with_mtime));
  CHECK_FALSE(changed([](Tree& t) { t.folders[1].entries[0].stamp.inode = 5; }, Identity::with_mtime));
}

TEST_CASE("entries and folders are found by path") {
  const Tree tree = tree_of({{"a/b/c", "1"}, {"a.b", "22"}, {"a/l@", "b"}});
  REQUIRE(tree.find("a/b/c") != nullptr);
  CHECK(tree.find("a/b/c")->size == 1);
  CHECK(tree.find("a.b")->size == 2);
  CHECK(tree.find("a/b")->kind == Kind::folder);
  CHECK(tree.find("a/b")->digest == tree.find_folder("a/b")->digest);
  CHECK(tree.find("") == nullptr);
  CHECK(tree.find("a/x") == nullptr);
  CHECK(tree.find("x/y") == nullptr);
  CHECK(tree.find_folder("") == &tree.folders[0]);
  CHECK(tree.find_folder("a/l") == nullptr);
  CHECK(tree.file_count() == 2);
  CHECK(tree.byte_count() == 3);
}

TEST_CASE("a tree that is not canonical is refused, whatever is wrong with it") {
  const Tree good = tree_of({{"a/f", "1"}, {"a/l@", "f"}, {"b/c/f", "1"}});
  CHECK_NOTHROW(check_canonical(good));
  const auto refused = [&](auto spoil) {
    Tree tree = good;
    spoil(tree);
    CHECK_THROWS_AS(check_canonical(tree), base::Error);
  };
  for (const std::string& name : {std::string(), std::string("."), std::string(".."), std::string("x/y"),
                                  std::string("x\0y", 3), std::string(256, 'x')})
    refused([&](Tree& t) { t.folders[1].entries[0].name = name; });
  refused([](Tree& t) { t.folders.clear(); });
  refused([](Tree& t) { t.folders[0].path = "x"; });
  refused([](Tree& t) { std::swap(t.folders[1].entries[0], t.folders[1].entries[1]); });
  refused([](Tree& t) { t.folders[1].entries[1].name = "f"; });
  refused([](Tree& t) { std::swap(t.folders[1], t.folders[2]); });
  refused([](Tree& t) { t.folders.pop_back(); });
  refused([](Tree& t) { t.folders.push_back(t.folders.back()); });
  refused([](Tree& t) { t.folders[2].path = "c"; });
  refused([](Tree& t) { t.folders[1].mode = 0700; });
  refused([](Tree& t) { t.folders[1].digest = {}; });
  refused([](Tree& t) { t.folders[1].entries[0].mode = 010000; });
  refused([](Tree& t) { t.folders[1].entries[0].target = "x"; });
  refused([](Tree& t) { t.folders[1].entries[1].target = ""; });
  refused([](Tree& t) { t.folders[1].entries[1].target = std::string("a\0b", 3); });
  refused([](Tree& t) { t.folders[1].entries[1].size = 4; });
  refused([](Tree& t) { t.folders[0].entries[0].kind = static_cast<Kind>(9); });
}

TEST_CASE("depth is limited without recursion") {
  std::string path = "d";
  for (int i = 0; i < 126; ++i)
    path += "/d";
  CHECK_NOTHROW(tree_of({{path + "/f", ""}}));
  CHECK_THROWS_AS(tree_of({{path + "/d/f", ""}}), base::Error);
}

TEST_CASE("a part may leave folders out, a whole tree may not") {
  Tree tree = tree_of({{"a/f", "1"}, {"b/c/f", "1"}});
  const auto root = tree.root_digest();
  tree.folders.pop_back();
  CHECK_NOTHROW(check_canonical(tree, Completeness::part));
  CHECK_THROWS_AS(check_canonical(tree), base::Error);
  tree.seal_digests();
  CHECK(tree.root_digest() == root);
}
