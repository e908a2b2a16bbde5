#include "core/sync/block_match.h"

#include <string>

#include "core/base/bytes.h"
#include "core/base/fd.h"
#include "core/sync/delta.h"
#include "tests/support/catch.h"
#include "tests/support/error_of.h"
#include "tests/support/memory_file.h"
#include "tests/unit/sync/sample_trees.h"

using namespace porter;
using namespace porter::sync;
using namespace porter::sync::test;
using tests::code_of;
using tests::file_of;

namespace {

constexpr std::size_t kBlock = kBlockBytes;

BlockTable table_of(const std::string& content) {
  const base::UniqueFd file = file_of(content);
  return make_block_table(file.get(), content.size(), {});
}

std::vector<Copy> match(const BlockTable& table, const std::string& after) {
  const base::UniqueFd file = file_of(after);
  return match_blocks(table, file.get(), after.size(), {});
}

std::string all_of(const std::string& content, const std::vector<Range>& ranges) {
  std::string out;
  for (const Range& range : ranges)
    out += content.substr(range.offset, range.size);
  return out;
}

// What the target makes of what travels: copies, and librsync's delta of what they leave.
std::string rebuilt(const std::string& before, const std::string& after, const std::vector<Copy>& copies) {
  const Rest rest = what_is_left(copies, before.size(), after.size());
  const base::UniqueFd old_file = file_of(before);
  const base::UniqueFd new_file = file_of(after);
  const FileRanges of_old(old_file.get(), rest.of_old);
  SignatureLoader loader(of_old.size());
  SignatureJob(of_old).run([&](std::string_view bytes) { loader.feed(bytes); });
  std::string delta;
  DeltaJob(loader.finish(), {new_file.get(), rest.of_new}).run([&](std::string_view bytes) {
    delta += bytes;
  });
  std::string patched;
  PatchJob patch(of_old, total_size(rest.of_new), [&](std::string_view bytes) { patched += bytes; });
  patch.feed(delta);
  patch.finish();
  std::string made(after.size(), '\0');
  for (const Copy& copy : copies)
    made.replace(copy.to, copy.size, before, copy.from, copy.size);
  std::size_t used = 0;
  for (const Range& range : rest.of_new) {
    made.replace(range.offset, range.size, patched, used, range.size);
    used += range.size;
  }
  return made;
}

// Gives how many bytes of the new file are left to librsync.
std::uint64_t left_over(const std::string& before, const std::string& after) {
  const std::vector<Copy> copies = match(table_of(before), after);
  CHECK_NOTHROW(check_copies(copies, before.size(), after.size()));
  const Rest rest = what_is_left(copies, before.size(), after.size());
  CHECK(all_of(after, rest.of_new).size() == total_size(rest.of_new));
  const bool equal = rebuilt(before, after, copies) == after;
  CHECK(equal);
  return total_size(rest.of_new);
}

}  // namespace

TEST_CASE("what whole blocks explain is copied, wherever it went, and the rest is small") {
  std::mt19937 random(51);
  // Several segments, and a last block that is a short one.
  const std::string base = random_bytes(random, (40U << 20U) + 12'345);
  CHECK(left_over(base, base) == 0);
  CHECK(match(table_of(base), base) == std::vector<Copy>{{0, 0, base.size()}});

  std::string middle = base;
  middle.replace(20U << 20U, 1000, random_bytes(random, 1000));
  CHECK(left_over(base, middle) == kBlock);
  CHECK(left_over(base, random_bytes(random, 777) + base) == 777);
  CHECK(left_over(base, base + "tail") == 4);
  CHECK(left_over(base, base.substr(777)) == kBlock - 777);
  CHECK(left_over(base, base.substr(0, 20'000'000)) < kBlock);
  // At a segment's border, and across it.
  for (const std::size_t at : {16U << 20U, (16U << 20U) - 500, (16U << 20U) + 1}) {
    std::string inserted = base;
    inserted.insert(at, random_bytes(random, 1000));
    CHECK(left_over(base, inserted) <= kBlock + 1000);
  }
  std::string moved = base.substr(25U << 20U) + base.substr(0, 25U << 20U);
  CHECK(left_over(base, moved) < 3 * kBlock);
  std::string scattered;
  for (std::size_t at = 0; at < base.size(); at += 1U << 20U)
    scattered += base.substr(at, (1U << 20U) - 100) + random_bytes(random, 50 + random() % 100);
  CHECK(left_over(base, scattered) < 41 * 2 * kBlock);
}

TEST_CASE("files that have nothing in common, or hardly anything, come out right as well") {
  std::mt19937 random(52);
  const std::string base = random_bytes(random, 1'000'000);
  const std::string other = random_bytes(random, 900'000);
  CHECK(left_over(base, other) == other.size());
  CHECK(left_over(base, "") == 0);
  CHECK(left_over("", base) == base.size());
  CHECK(left_over("", "") == 0);
  CHECK(left_over(base, base.substr(0, 100)) == 100);
  CHECK(left_over("short", base) == base.size());
}

TEST_CASE("sizes at the border of a block, and blocks that are all the same") {
  std::mt19937 random(53);
  for (const std::size_t blocks : {1U, 2U, 5U}) {
    for (const int more : {-1, 0, 1}) {
      const std::string base = random_bytes(random, blocks * kBlock + static_cast<std::size_t>(more));
      CHECK(left_over(base, base) == 0);
      CHECK(left_over(base, base + "x") <= 2);
      left_over(base, "x" + base);
      left_over(base, base.substr(1));
    }
  }
  const std::string zeros(20 * kBlock, '\0');
  CHECK(left_over(zeros, zeros) == 0);
  CHECK(left_over(zeros, zeros.substr(0, 7 * kBlock + 9)) <= 9);
  CHECK(left_over(zeros, "x" + zeros) == 1);
  const std::string block = random_bytes(random, kBlock);
  std::string same;
  for (int i = 0; i < 10; ++i)
    same += block;
  CHECK(left_over(same + "end" + same, "start" + same + same + same) <= 5);
}

TEST_CASE("random edits of every kind survive") {
  std::mt19937 random(54);
  for (int i = 0; i < 60; ++i) {
    const std::string before = random_bytes(random, random() % 600'000);
    std::string after = before;
    for (auto edits = random() % 6; edits > 0; --edits) {
      const std::size_t at = random() % (after.size() + 1);
      switch (random() % 5) {
        case 0:
          after.replace(at, random() % 300, random_bytes(random, random() % 300));
          break;
        case 1:
          after.erase(at, random() % 100'000);
          break;
        case 2:
          after.insert(at, random_bytes(random, random() % 100'000));
          break;
        case 3:
          after.resize(at);
          break;
        default:
          after = after.substr(at) + after.substr(0, at);
          break;
      }
    }
    left_over(before, after);
  }
}

TEST_CASE("the rolling sum of any place is the sum of the bytes there") {
  std::mt19937 random(55);
  const std::string bytes = random_bytes(random, 3000);
  for (const std::size_t width : {1U, 31U, 32U, 1000U}) {
    RollingSum sum(std::string_view(bytes).substr(0, width));
    for (std::size_t at = 0; at + width < bytes.size(); ++at) {
      REQUIRE(sum.value() == weak_sum(std::string_view(bytes).substr(at, width)));
      sum.roll(bytes[at], bytes[at + width]);
    }
  }
  CHECK(weak_sum("ab") == 'a' * RollingSum::kMultiplier + 'b');
}

TEST_CASE("a table travels as the documented bytes, and no other length is taken") {
  std::mt19937 random(56);
  const BlockTable table = table_of(random_bytes(random, 3 * kBlock + 5));
  const std::string bytes = encode_blocks(table);
  CHECK(bytes.size() == 4 * 20);
  const auto load = [&](std::string_view piece, std::string_view other) {
    BlockTableLoader loader(table.size);
    loader.feed(piece);
    loader.feed(other);
    return loader.finish().blocks;
  };
  CHECK(load(bytes.substr(0, 30), bytes.substr(30)) == table.blocks);
  CHECK(code_of([&] { load(bytes, "x"); }) == base::Code::protocol);
  CHECK(code_of([&] { load(bytes.substr(0, 30), bytes.substr(31)); }) == base::Code::protocol);
  CHECK(code_of([] { BlockTableLoader(~0ULL); }) == base::Code::protocol);
}

TEST_CASE("a table that lies costs bounded time and gives a wrong file away to the digest alone") {
  std::mt19937 random(57);
  const std::string zeros(64 * kBlock, '\0');
  BlockTable table = table_of(zeros);
  // Everywhere the weak sum is right, nowhere the strong one.
  for (std::size_t i = 0; i < table.blocks.size(); ++i)
    table.blocks[i].strong.low += 1 + i;
  CHECK(match(table, "x" + zeros).empty());
  BlockTable junk = table_of(random_bytes(random, 10 * kBlock));
  junk.blocks.assign(junk.blocks.size(), table_of(zeros).blocks[0]);
  CHECK_NOTHROW(check_copies(match(junk, zeros), junk.size, zeros.size()));
}

TEST_CASE("copies of a peer are within both files, in order, and none is tiny") {
  const auto refused = [](const std::vector<Copy>& copies) {
    return code_of([&] { check_copies(copies, 100'000, 200'000); }) == base::Code::protocol;
  };
  CHECK_FALSE(refused({}));
  CHECK_FALSE(refused({{0, 0, 100'000}, {0, 100'000, 100'000}}));
  CHECK_FALSE(refused({{50'000, 10, 2000}, {0, 2010, 1024}}));
  CHECK(refused({{0, 0, 100'001}}));
  CHECK(refused({{1, 0, 100'000}}));
  CHECK(refused({{0, 100'001, 100'000}}));
  CHECK(refused({{0, 0, 1023}}));
  CHECK(refused({{0, 0, 0}}));
  CHECK(refused({{0, 5000, 2000}, {0, 6999, 2000}}));
  CHECK(refused({{0, 5000, 2000}, {0, 0, 2000}}));
  CHECK(refused({{~0ULL, 0, 2000}}));
  CHECK(refused({{0, ~0ULL, 2000}}));
  CHECK(refused({{5000, 0, ~0ULL - 10}}));
  CHECK(refused({{0, 0, ~0ULL}}));
}

TEST_CASE("files that became shorter meanwhile are errors of their own") {
  const base::UniqueFd file = file_of(std::string(100'000, 'a'));
  CHECK(code_of([&] { make_block_table(file.get(), 100'001, {}); }) == base::Code::io);
  const BlockTable table = make_block_table(file.get(), 100'000, {});
  CHECK(code_of([&] { match_blocks(table, file.get(), 300'000, {}); }) == base::Code::io);
}
