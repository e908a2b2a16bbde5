#include "core/sync/hard_links.h"

#include <filesystem>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/sync/compose.h"
#include "core/sync/tree_codec.h"
#include "core/sync/tree_file.h"
#include "core/sync/walk.h"
#include "tests/support/catch.h"
#include "tests/unit/sync/sample_trees.h"

using namespace porter;
using namespace porter::sync;
using namespace porter::sync::test;
namespace fs = std::filesystem;

namespace {

// a/f has the further names a/g and b/f.
Tree three_names() {
  Tree tree = tree_of({{"a/f", "1"}, {"b/e", "2"}});
  tree.folders[1].entries.push_back(further_name("g", "a/f"));
  tree.folders[2].entries.push_back(further_name("f", "a/f"));
  tree.seal_digests();
  return tree;
}

std::string target_of(const Tree& tree, std::string_view path) {
  const Entry* entry = tree.find(path);
  return entry == nullptr ? "none" : entry->kind == Kind::hard_link ? std::string(entry->target) : "";
}

}  // namespace

TEST_CASE("a walk finds the names of one file, and the first of them is the file") {
  const base::TemporaryFolder home;
  put_file(home.path() / "z/one", "content");
  put_file(home.path() / "alone", "content");
  fs::create_hard_link(home.path() / "z/one", home.path() / "b");
  fs::create_hard_link(home.path() / "z/one", home.path() / "z/two");
  put_file(home.path() / "outside", "o");
  fs::create_hard_link(home.path() / "outside", home.path().string() + ".outside");
  WalkOptions options;
  options.stamps = Stamps::yes;
  const Tree tree = walk_folder(home.path(), options);
  fs::remove(home.path().string() + ".outside");
  CHECK(target_of(tree, "b").empty());
  CHECK(target_of(tree, "z/one") == "b");
  CHECK(target_of(tree, "z/two") == "b");
  CHECK(target_of(tree, "alone").empty());
  CHECK(target_of(tree, "outside").empty());
  CHECK_NOTHROW(check_canonical(tree));
  WalkCounts counts;
  options.known = &tree;
  CHECK(walk_folder(home.path(), options, &counts).root_digest() == tree.root_digest());
  CHECK(counts.files_trusted == 4);  // the two names in z by the stamp of the first
}

TEST_CASE("hard links travel, and lie in files, as they are") {
  const Tree tree = three_names();
  CHECK_NOTHROW(check_canonical(tree));
  CHECK(decode_tree(encode_tree(tree, Stamps::no)) == tree);
  base::ByteWriter writer;
  write_tree_file(writer, tree);
  CHECK(read_tree_file(writer.data()) == tree);
  CHECK(tree.file_count() == 2);
}

TEST_CASE("a hard link that leads to no earlier file is refused") {
  const auto refused = [](auto spoil) {
    Tree tree = three_names();
    spoil(tree);
    tree.seal_digests();
    CHECK_THROWS_AS(check_canonical(tree), base::Error);
  };
  refused([](Tree& t) { t.folders[1].entries[1].target = "a/x"; });
  refused([](Tree& t) { t.folders[1].entries[1].target = "a"; });
  refused([](Tree& t) { t.folders[1].entries[1].target = "a/g"; });
  refused([](Tree& t) { t.folders[1].entries[1].target = "b/e"; });
  refused([](Tree& t) { t.folders[2].entries[1].target = "a/g"; });
  refused([](Tree& t) { t.folders[1].entries[1].target = ""; });
  refused([](Tree& t) { t.folders[1].entries[1].mode = 0644; });
  refused([](Tree& t) { t.folders[1].entries[1].size = 1; });
}

TEST_CASE("when the first name goes, the next one is the file") {
  Tree tree = three_names();
  const Entry file = *tree.find("a/f");
  give_up_first_name(tree, "a/f");
  std::erase_if(tree.folders[1].entries, [](const Entry& entry) { return entry.name == "f"; });
  tree.seal_digests();
  CHECK_NOTHROW(check_canonical(tree));
  CHECK(tree.find("a/g")->kind == Kind::file);
  CHECK(tree.find("a/g")->digest == file.digest);
  CHECK(target_of(tree, "b/f") == "a/g");
}

TEST_CASE("what is composed over a file with several names leaves the others theirs") {
  const auto composed = [](auto change) {
    Composer composer(three_names(), "/source", {});
    change(composer);
    return composer.finish().tree;
  };
  const auto bytes = std::make_shared<const std::string>("new");
  const Tree replaced = composed([&](Composer& c) { c.add_bytes("a/f", bytes, 0644, Layer::handlers, "p"); });
  CHECK(replaced.find("a/f")->digest == base::sha256("new"));
  CHECK(replaced.find("a/g")->digest == base::sha256("1"));
  CHECK(target_of(replaced, "b/f") == "a/g");
  const Tree further = composed([&](Composer& c) { c.add_bytes("a/g", bytes, 0644, Layer::handlers, "p"); });
  CHECK(target_of(further, "a/g").empty());
  CHECK(target_of(further, "b/f") == "a/f");
  const Tree shared = composed([](Composer& c) { c.add_link("a", "t", Layer::shared, "[shared]"); });
  CHECK(shared.find("b/f")->kind == Kind::file);
  CHECK(shared.find("b/f")->digest == base::sha256("1"));
}

TEST_CASE("groups of names are the same when all of them are") {
  const HardLinks names(three_names());
  CHECK(names.count("a/f") == 3);
  CHECK(names.count("b/f") == 3);
  CHECK(names.count("b/e") == 1);
  Tree other = three_names();
  CHECK(HardLinks::same_names(names, HardLinks(other), "a/f"));
  CHECK(HardLinks::same_names(names, HardLinks(), "b/e"));
  other.folders[2].entries.pop_back();
  CHECK_FALSE(HardLinks::same_names(names, HardLinks(other), "a/f"));
  CHECK_FALSE(HardLinks::same_names(HardLinks(), names, "a/g"));
}
