#include "core/sync/tree_file.h"

#include <span>

#include "core/base/error.h"
#include "tests/support/catch.h"
#include "tests/unit/sync/sample_trees.h"

using namespace porter;
using namespace porter::sync;
using namespace porter::sync::test;

namespace {

std::string write(const Tree& tree) {
  base::ByteWriter writer;
  write_tree_file(writer, tree);
  return writer.take();
}

// Whatever is read keeps to the rules of a tree; digests are a matter of the checksum around it.
void check_survives(std::string_view bytes) {
  try {
    check_canonical(read_tree_file(bytes));
  } catch (const base::Error& error) {
    CHECK(error.code() == base::Code::protocol);
  }
}

}  // namespace

TEST_CASE("random trees come back from a file as they were, with stamps") {
  std::mt19937 random(31);
  for (int i = 0; i < 100; ++i) {
    Tree tree = random_tree(random, i % 2 == 0 ? Identity::content_only : Identity::with_mtime);
    for (Folder& folder : tree.folders) {
      for (Entry& entry : folder.entries) {
        if (entry.kind == Kind::file && random() % 2 == 0) entry.stamp = {random() + 1, entry.mtime_ns, -7};
      }
    }
    CHECK(read_tree_file(write(tree)) == tree);
  }
}

TEST_CASE("a stamp of another size than the file's proves nothing") {
  std::mt19937 random(34);
  Tree tree = random_tree(random, Identity::content_only, 0, 0);
  Entry file;
  file.name = "f";
  file.size = 7;
  file.stamp = {5, 3, 9};  // of another time than the file's, so that its size is written as well
  tree.folders.front().entries = {file};
  tree.seal_digests();
  std::string bytes = write(tree);
  REQUIRE(read_tree_file(bytes) == tree);
  // Form, inode, ctime, size, mtime are its last five bytes.
  REQUIRE(bytes[bytes.size() - 2] == 7);
  bytes[bytes.size() - 2] = 8;
  CHECK(read_tree_file(bytes).folders.front().entries.front().stamp == Stamp{});
}

TEST_CASE("a tree of many rows is read by several threads, and of none by one") {
  std::mt19937 random(32);
  const Tree tree = random_tree(random, Identity::with_mtime, 500, 60);
  REQUIRE(write(tree).size() > std::size_t{512} << 10U);
  CHECK(read_tree_file(write(tree)) == tree);
  const Tree empty = tree_of({});
  CHECK(read_tree_file(write(empty)) == empty);
}

TEST_CASE("a tree file that is cut short is an error, and one that is changed an error or another tree") {
  std::mt19937 random(33);
  std::string bytes = write(random_tree(random, Identity::with_mtime, 5, 4));
  for (std::size_t length = 0; length < bytes.size(); ++length)
    CHECK_THROWS_AS(read_tree_file(std::string_view(bytes).substr(0, length)), base::Error);
  CHECK_THROWS_AS(read_tree_file(bytes + '\0'), base::Error);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    const auto mask = static_cast<char>(1U << (bit % 8));
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ mask);
    check_survives(bytes);
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ mask);
  }
}

TEST_CASE("a hostile table of many folders or long rows costs nothing") {
  base::ByteWriter many;
  many.u8(1).u8(2).varint(1ULL << 40U);
  CHECK_THROWS_AS(read_tree_file(many.data()), base::Error);
  base::ByteWriter lengthy;
  lengthy.u8(1).u8(2).varint(1).varint(0755).signed_varint(0).digest({}).varint(1ULL << 62U);
  CHECK_THROWS_AS(read_tree_file(lengthy.data()), base::Error);
}

TEST_CASE("a tree file is the documented bytes") {
  // docs/formats.md: change both, or neither, and then the format's version.
  const std::string bytes = write(tree_of({{"bin/run", "#!/bin/sh\n"}, {"run@", "bin/run"}}));
  CHECK(base::to_hex(std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size())) ==
        "010202ed03005911d28f8633f6304a0221da81b5f1429a048061461d310078cd0e2a29f3eb7f"
        "14000362696eed03005af0ed765c6d6c038670feb8c469afe70ec1a5c273c6bbcc640833e83c"
        "b9d1782b02010362696e030372756e000762696e2f72756e01020372756e00a4030aa8076d3d"
        "28d21e02012b20eaf7dbf75409a6277134439025f282e368e3305abf00");
}
