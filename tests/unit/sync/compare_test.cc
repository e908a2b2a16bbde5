#include "core/sync/compare.h"

#include "core/base/bytes.h"

#include "core/base/error.h"
#include "core/sync/tree_codec.h"
#include "tests/support/catch.h"
#include "tests/unit/sync/sample_trees.h"

using namespace porter;
using namespace porter::sync;
using namespace porter::sync::test;

TEST_CASE("a part holds exactly the folders that differ, and can be completed from the other side") {
  std::mt19937 random(11);
  for (int i = 0; i < 200; ++i) {
    const Tree wanted = random_tree(random, Identity::with_mtime, 20);
    Tree base = random_change(wanted, random);
    for (Folder& folder : base.folders)
      for (Entry& entry : folder.entries)
        entry.stamp = {};
    const Tree part = make_part(base, decode_folder_digests(encode_folder_digests(folder_digests(wanted))));
    CHECK_NOTHROW(check_canonical(part, Completeness::part));
    for (const Folder& folder : base.folders) {
      const Folder* other = wanted.find_folder(folder.path);
      const bool differs = other == nullptr || other->digest != folder.digest;
      CHECK((part.find_folder(folder.path) != nullptr) == (differs || folder.path.empty()));
    }
    const Tree received = decode_tree(encode_tree(part, Stamps::no), Completeness::part);
    const Tree whole = complete_part(received, wanted);
    CHECK(whole.root_digest() == base.root_digest());
    CHECK(whole.folders.size() == base.folders.size());
    CHECK_NOTHROW(check_canonical(whole));
  }
}

TEST_CASE("a part that leaves out what is not equal cannot be completed") {
  const Tree base = tree_of({{"a/f", "1"}, {"b/f", "2"}});
  const Tree part = make_part(base, folder_digests(base));
  CHECK(part.folders.size() == 1);
  CHECK_THROWS_AS(complete_part(part, tree_of({{"a/f", "1"}, {"b/f", "other"}})), base::Error);
  CHECK_THROWS_AS(complete_part(part, tree_of({{"a/f", "1"}})), base::Error);
}

TEST_CASE("a part stays closed upward even when the other side contradicts itself") {
  const Tree base = tree_of({{"a/b/f", "1"}});
  auto digests = folder_digests(base);
  digests[2].digest[0] ^= 1;  // "a/b" differs, "a" does not: impossible
  CHECK_NOTHROW(check_canonical(make_part(base, digests), Completeness::part));
}

TEST_CASE("damaged or disordered folder digests are an error") {
  std::mt19937 random(12);
  const auto digests = folder_digests(random_tree(random, Identity::content_only));
  const std::string bytes = encode_folder_digests(digests);
  CHECK(decode_folder_digests(bytes) == digests);
  for (std::size_t length = 0; length < bytes.size(); ++length)
    CHECK_THROWS_AS(decode_folder_digests(std::string_view(bytes).substr(0, length)), base::Error);
  const auto refused = [](std::vector<std::string> paths) {
    std::vector<FolderDigest> list;
    for (std::string& path : paths)
      list.push_back({std::move(path), {}});
    CHECK_THROWS_AS(decode_folder_digests(encode_folder_digests(list)), base::Error);
  };
  refused({});
  refused({"a"});
  refused({"", "b", "a"});
  refused({"", "a", "a"});
  refused({"", "a/b"});
  refused({"", "a", "b/c"});
  refused({"", ".."});
  refused({"", "/"});
  refused({"", ""});
}

TEST_CASE("folder digests that share less of a path than they could are an error") {
  const auto spelt = [](std::uint64_t shared, std::string_view rest) {
    const base::Digest digest{};
    base::ByteWriter writer;
    writer.u8(1).varint(3).varint(0).text("").digest(digest).varint(0).text("a").digest(digest);
    return writer.varint(shared).text(rest).digest(digest).take();
  };
  REQUIRE(decode_folder_digests(spelt(1, "/b")).back().path == "a/b");
  CHECK_THROWS_AS(decode_folder_digests(spelt(0, "a/b")), base::Error);
}
