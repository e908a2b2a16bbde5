#include "core/sync/tree_codec.h"

#include <span>

#include "core/base/error.h"
#include "core/sync/compare.h"
#include "tests/support/catch.h"
#include "tests/unit/sync/sample_trees.h"

using namespace porter;
using namespace porter::sync;
using namespace porter::sync::test;

namespace {

Tree without_stamps(Tree tree) {
  for (Folder& folder : tree.folders)
    for (Entry& entry : folder.entries)
      entry.stamp = {};
  return tree;
}

// Damaged bytes give an error or, when they happen to spell another tree, a canonical one.
void check_survives(std::string_view bytes) {
  try {
    const Tree tree = decode_tree(bytes, Completeness::part);
    check_canonical(tree, Completeness::part);
    Tree again = tree;
    again.seal_digests();
    CHECK(again == tree);
  } catch (const base::Error& error) {
    CHECK(error.code() == base::Code::protocol);
  }
}

}  // namespace

TEST_CASE("random trees come back from their encoding as they were") {
  std::mt19937 random(1);
  for (int i = 0; i < 200; ++i) {
    const Tree tree = random_tree(random, i % 2 == 0 ? Identity::content_only : Identity::with_mtime);
    CHECK(decode_tree(encode_tree(tree, Stamps::yes)) == tree);
    CHECK(decode_tree(encode_tree(tree, Stamps::no)) == without_stamps(tree));
  }
}

TEST_CASE("an empty tree and empty folders travel too") {
  const Tree empty = tree_of({});
  CHECK(decode_tree(encode_tree(empty, Stamps::no)) == empty);
  Tree folders = tree_of({{"a/b/f", ""}});
  folders.folders[2].entries.clear();
  folders.seal_digests();
  CHECK(decode_tree(encode_tree(folders, Stamps::no)) == folders);
}

TEST_CASE("pieces are never larger than asked and spell the same tree") {
  std::mt19937 random(2);
  const Tree tree = random_tree(random, Identity::with_mtime, 60, 20);
  const std::string whole = encode_tree(tree, Stamps::yes);
  for (const std::size_t limit : {1U, 2U, 7U, 64U, 1000U, 1U << 20U}) {
    TreeEncoder encoder(tree, Stamps::yes, limit);
    TreeAssembler assembler;
    std::string joined;
    for (std::string piece; encoder.next(piece);) {
      REQUIRE(piece.size() <= limit);
      assembler.feed(piece);
      joined += piece;
    }
    CHECK(joined == whole);
    CHECK(assembler.finish() == tree);
  }
}

TEST_CASE("an assembler refuses more than it was told to accept") {
  TreeAssembler assembler(10);
  assembler.feed("123456");
  CHECK_THROWS_AS(assembler.feed("78901"), base::Error);
}

TEST_CASE("every truncation of an encoded tree is an error") {
  std::mt19937 random(3);
  for (int i = 0; i < 10; ++i) {
    const std::string bytes = encode_tree(random_tree(random, Identity::with_mtime), Stamps::yes);
    for (std::size_t length = 0; length < bytes.size(); ++length)
      CHECK_THROWS_AS(decode_tree(std::string_view(bytes).substr(0, length)), base::Error);
    CHECK_THROWS_AS(decode_tree(bytes + '\0'), base::Error);
  }
}

TEST_CASE("every flipped bit of an encoded tree is an error or spells a canonical tree") {
  std::mt19937 random(4);
  for (int i = 0; i < 3; ++i) {
    std::string bytes = encode_tree(random_tree(random, Identity::content_only, 5, 4), Stamps::yes);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      const auto mask = static_cast<char>(1U << (bit % 8));
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ mask);
      check_survives(bytes);
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ mask);
    }
  }
}

TEST_CASE("random junk is an error or spells a canonical tree") {
  std::mt19937 random(5);
  for (int i = 0; i < 3000; ++i) {
    std::string bytes = random_bytes(random, random() % 60);
    if (i % 2 == 0) bytes = std::string("\x02\x03\x01\x24\x00", 5) + bytes;
    check_survives(bytes);
  }
}

TEST_CASE("trees of the format before are read: their links have no time") {
  // Of docs/formats.md before links had one: the same tree as below.
  const std::string before = *base::from_hex(
      "010100ed030002010362696eed0300030372756e0762696e2f72756e01020372756ea403000a"
      "a8076d3d28d21e02012b20eaf7dbf75409a6277134439025f282e368e3305abf");
  Tree tree = tree_of({{"bin/run", "#!/bin/sh\n"}, {"run@", "bin/run"}});
  tree.identity = Identity::with_file_mtime;
  tree.seal_digests();
  CHECK(decode_tree(before) == tree);
  CHECK(base::to_hex(tree.root_digest()) ==
        "cc9071f80b50ffc6c73c2029385690d1d8bddb898d7f16b5c4896291de702685");
}

TEST_CASE("a hostile announcement of many entries or endless depth costs nothing") {
  base::ByteWriter many;
  many.u8(2).u8(3).u8(0).varint(0755).signed_varint(0).varint(1ULL << 40U);
  CHECK_THROWS_AS(decode_tree(many.data()), base::Error);
  base::ByteWriter deep;
  deep.u8(2).u8(3).u8(0).varint(0755).signed_varint(0);
  for (int i = 0; i < 100'000; ++i)
    deep.varint(1).u8(1).text("d").varint(0755).signed_varint(0);
  deep.varint(0);
  CHECK_THROWS_AS(decode_tree(deep.data()), base::Error);
}

TEST_CASE("a part is refused where a whole tree is expected") {
  Tree tree = tree_of({{"a/f", "1"}, {"b/c/f", "1"}});
  tree.folders.pop_back();
  const std::string bytes = encode_tree(tree, Stamps::no);
  CHECK(decode_tree(bytes, Completeness::part) == tree);
  CHECK_THROWS_AS(decode_tree(bytes), base::Error);
}

TEST_CASE("trees and folder digests are the documented bytes") {
  // docs/formats.md: change both, or neither, and then the format's version.
  const Tree tree = tree_of({{"bin/run", "#!/bin/sh\n"}, {"run@", "bin/run"}});
  const auto hex = [](const std::string& bytes) {
    return base::to_hex(std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
  };
  CHECK(hex(encode_tree(tree, Stamps::no)) ==
        "020200ed030002010362696eed0300030372756e000762696e2f72756e01020372756ea403000a"
        "a8076d3d28d21e02012b20eaf7dbf75409a6277134439025f282e368e3305abf");
  CHECK(hex(encode_folder_digests(folder_digests(tree))) ==
        "010200005911d28f8633f6304a0221da81b5f1429a048061461d310078cd0e2a29f3eb7f"
        "000362696e5af0ed765c6d6c038670feb8c469afe70ec1a5c273c6bbcc640833e83cb9d178");
}
