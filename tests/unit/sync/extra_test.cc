#include "core/sync/extra.h"

#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/base/files.h"
#include "core/base/text.h"
#include "core/sync/manifest.h"
#include "core/sync/plan.h"
#include "core/sync/tree_codec.h"
#include "core/sync/tree_file.h"
#include "core/sync/walk.h"
#include "tests/support/catch.h"
#include "tests/support/error_of.h"
#include "tests/unit/sync/sample_trees.h"

using namespace porter;
using namespace porter::sync;
using namespace porter::sync::test;

namespace {

constexpr Keeps kAll{Owners::names, true};

bool refused(std::string_view bytes) {
  return extra_fault(PackedExtra::of_bytes(bytes), kAll) != nullptr;
}

Tree walked(const std::filesystem::path& folder, Owners owners) {
  WalkOptions options;
  options.keeps.owners = owners;
  return walk_folder(folder, options);
}

}  // namespace

TEST_CASE("owner and attributes are the documented bytes, and nothing is no byte") {
  const PackedExtra packed(sample_extra());
  CHECK(packed.bytes() == std::string_view("\x01\x01\x03"
                                           "ada\x00\xE9\x07\x02\x06user.b\x02\x00\xFF\x06user.c\x00",
                                           28));
  CHECK(packed.unpack() == sample_extra());
  CHECK(PackedExtra(Extra{}).empty());
  CHECK(PackedExtra::of_bytes("").unpack() == Extra{});
  CHECK(to_text(*sample_extra().owner) == "ada:1001");
}

TEST_CASE("extras that have another spelling, or that nothing has, are refused") {
  using namespace std::string_view_literals;
  CHECK_FALSE(refused("\x01\x00\x00\x00\x00\x00"sv));
  CHECK(refused("\x00\x00"sv));                                  // nothing, at length
  CHECK(refused("\x02\x00\x00\x00\x00\x00"sv));                  // an unknown form
  CHECK(refused("\x01\x02\x00\x00\x00\x00"sv));                  // of the account as well
  CHECK(refused("\x01\x00\x00\x00\x00"sv));                      // cut short
  CHECK(refused("\x01\x00\x00\x00\x00\x00x"sv));                 // too long
  CHECK(refused("\x01\x00\xFF\xFF\xFF\xFF\x0F\x00\x00\x00"sv));  // "as it is" to the kernel
  CHECK(refused("\x01\x01\x02-x\x00\x00\x00"sv));                // an option to whom it is given
  CHECK(refused("\x01\x01\x02x:\x00\x00\x00"sv));
  CHECK_FALSE(refused("\x00\x02\x06user.y\x00\x06user.z\x00"sv));
  CHECK(refused("\x00\x02\x06user.z\x00\x06user.y\x00"sv));  // out of order
  CHECK(refused("\x00\x02\x06user.y\x00\x06user.y\x00"sv));
  CHECK(refused("\x00\x01\x00\x00"sv));
  CHECK(refused("\x00\x01\x07user.y\0\x00"sv));
  CHECK(refused("\x00\x01\x10security.selinux\x00"sv));  // the machine's own affair
  CHECK(extra_fault(PackedExtra(sample_extra()), {Owners::names, false}) != nullptr);
  CHECK(extra_fault(PackedExtra(sample_extra()), {Owners::none, true}) != nullptr);
  CHECK(extra_fault(PackedExtra(sample_extra()), {}) != nullptr);
  const Extra large{{}, {{"user.a", std::string(kMaxExtra, 'x')}}};
  CHECK(tests::code_of([&] { PackedExtra{large}; }) == base::Code::refused);
}

TEST_CASE("what a tree keeps is one byte") {
  for (const Keeps keeps : {Keeps{}, Keeps{Owners::names, false}, Keeps{Owners::numbers, true}, kAll})
    CHECK(Keeps::from_byte(keeps.to_byte()) == keeps);
  CHECK_FALSE(Keeps::from_byte(3));
  CHECK_FALSE(Keeps::from_byte(8));
  CHECK_FALSE(Keeps::from_byte(0x1'0000'0001));
}

TEST_CASE("trees with extras come back from the wire, from files and from seals as they were") {
  std::mt19937 random(7);
  for (int i = 0; i < 50; ++i) {
    const Tree tree = with_extras(random_tree(random, Identity::with_mtime));
    CHECK(decode_tree(encode_tree(tree, Stamps::yes)) == tree);
    base::ByteWriter file;
    write_tree_file(file, tree);
    CHECK(read_tree_file(file.data()) == tree);
    SealHeader header;
    header.release_id = "r1";
    header.root_digest = tree.root_digest();
    const std::string seal = encode_seal(header, tree);
    CHECK(decode_seal(seal, "x").tree == tree);
    CHECK(decode_seal_beginning(seal, "x") == header);
  }
}

TEST_CASE("formats of trees without extras stay what they were, and others have a version of their own") {
  std::mt19937 random(8);
  const Tree plain = random_tree(random, Identity::with_mtime);
  const Tree kept = with_extras(plain);
  CHECK(encode_tree(plain, Stamps::no).front() == '\x02');
  CHECK(encode_tree(kept, Stamps::no).front() == '\x03');
  Tree again = kept;
  again.keep({});
  again.seal_digests();
  CHECK(again == plain);
}

TEST_CASE("an extra is part of identity, of a file, a link and a folder each") {
  Tree tree = tree_of({{"d/f", "1"}, {"d/l@", "f"}});
  tree.keeps = kAll;
  tree.seal_digests();
  // docs/formats.md: change both, or neither, and then the format's version.
  CHECK(base::to_hex(tree.root_digest()) ==
        "76e463c8713d1337b91881763cf049d3d8923f12b51fec634d3509bd2a541c50");
  const auto root_with = [&](const auto& change) {
    Tree other = tree;
    change(other);
    other.seal_digests();
    check_canonical(other);
    const SyncPlan plan = make_plan(other, tree);
    CHECK_FALSE(plan.empty());
    CHECK(plan.totals.bytes_whole == 0);
    return other.root_digest();
  };
  const PackedExtra extra(sample_extra());
  CHECK(root_with([&](Tree& t) { t.folders[1].entries[0].extra = extra; }) != tree.root_digest());
  CHECK(root_with([&](Tree& t) { t.folders[1].entries[1].extra = extra; }) != tree.root_digest());
  CHECK(root_with([&](Tree& t) { t.folders[1].extra = extra; }) != tree.root_digest());
}

TEST_CASE("owners are taken from disk by name, or by number where there is none or numbers are asked for") {
  const base::TemporaryFolder home;
  put_file(home.path() / "f", "1");
  std::filesystem::create_symlink("f", home.path() / "l");
  struct stat info {};
  REQUIRE(::stat((home.path() / "f").c_str(), &info) == 0);
  CHECK(walked(home.path(), Owners::none).find("f")->extra.empty());
  const Tree numbers = walked(home.path(), Owners::numbers);
  CHECK(numbers.find("f")->extra.unpack().owner == Owner{{"", info.st_uid}, {"", info.st_gid}});
  if (::geteuid() != 0) return;  // only root may give files away
  REQUIRE(::lchown((home.path() / "l").c_str(), 987654, 0) == 0);
  const Tree names = walked(home.path(), Owners::names);
  CHECK(names.find("f")->extra.unpack().owner == Owner{{"root", 0}, {"root", 0}});
  CHECK(names.find("l")->extra.unpack().owner == Owner{{"", 987654}, {"root", 0}});
  CHECK(names.folders.front().extra.unpack().owner == Owner{{"root", 0}, {"root", 0}});
}

TEST_CASE("attributes are taken from disk, by what an earlier walk found where nothing changed since") {
  const base::TemporaryFolder home;
  put_file(home.path() / "d/f", "1");
  if (::setxattr((home.path() / "d/f").c_str(), "user.b", "2", 1, 0) != 0) {
    WARN("skipped: the file system keeps no attributes");
    return;
  }
  REQUIRE(::setxattr((home.path() / "d/f").c_str(), "user.a", "", 0, 0) == 0);
  REQUIRE(::setxattr((home.path() / "d").c_str(), "user.c", "3", 1, 0) == 0);
  WalkOptions options;
  options.stamps = Stamps::yes;
  const auto walk_again = [&](const Tree& known, WalkCounts* counts = nullptr) {
    options.known = &known;
    return walk_folder(home.path(), options, counts);
  };
  const Tree plain = walk_again({});
  CHECK(plain.find("d/f")->extra.empty());
  options.keeps.attributes = true;
  // The content is known, its attributes are not.
  WalkCounts counts;
  Tree first = walk_again(plain, &counts);
  CHECK(counts.files_trusted == 1);
  const std::vector<Attribute> both = {{"user.a", ""}, {"user.b", "2"}};
  CHECK(first.find("d/f")->extra.unpack().attributes == both);
  CHECK(first.find_folder("d")->extra.unpack().attributes == std::vector<Attribute>{{"user.c", "3"}});
  CHECK(first.folders.front().extra.empty());
  Tree told = first;
  told.folders[1].entries[0].extra = PackedExtra({{}, {{"user.told", ""}}});
  CHECK(walk_again(told).find("d/f")->extra == told.find("d/f")->extra);
  REQUIRE(::removexattr((home.path() / "d/f").c_str(), "user.a") == 0);
  CHECK(walk_again(told).find("d/f")->extra.unpack().attributes == std::vector<Attribute>{{"user.b", "2"}});
}
