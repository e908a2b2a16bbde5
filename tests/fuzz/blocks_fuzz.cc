// Block tables and copies as a hostile peer sends them, and honest ones there and back. The first byte says
// which; the next two are a size, or how far contents move.

#include "core/base/bytes.h"
#include "core/base/fd.h"
#include "core/sync/block_match.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/memory_file.h"

using namespace porter;
using fuzz::require;
using tests::file_of;

namespace {

// Some blocks of content from a few bytes.
std::string blow_up(std::string_view bytes, std::size_t size) {
  std::string made;
  while (!bytes.empty() && made.size() < size)
    made.append(bytes);
  return made;
}

sync::BlockTable load(std::string_view bytes, std::uint64_t size) {
  sync::BlockTableLoader loader(size);
  loader.feed(bytes.substr(0, bytes.size() / 3));
  loader.feed(bytes.substr(bytes.size() / 3));
  return loader.finish();
}

std::vector<sync::Copy> match(const sync::BlockTable& table, std::string_view content) {
  const base::UniqueFd file = file_of(content);
  std::vector<sync::Copy> copies = sync::match_blocks(table, file.get(), content.size(), {});
  sync::check_copies(copies, table.size, content.size());
  return copies;
}

// Copies of whatever a table claims stay within both files.
void hostile_table(std::string_view bytes) {
  const std::uint64_t size = bytes.size() / 20 * sync::kBlockBytes;
  match(load(bytes.substr(0, bytes.size() / 20 * 20), size), blow_up(bytes, 3 * sync::kBlockBytes));
  match(load(bytes.substr(0, bytes.size() / 20 * 20), size), std::string(3 * sync::kBlockBytes, '\0'));
}

void junk_table(std::string_view bytes, std::uint64_t size) {
  load(bytes, size * 1000);
}

// What is accepted can be used without a look at its numbers.
void hostile_copies(std::string_view bytes) {
  constexpr std::uint64_t kOld = 70'000;
  constexpr std::uint64_t kNew = 90'000;
  base::ByteReader reader(bytes);
  std::vector<sync::Copy> copies;
  while (!reader.at_end())
    copies.push_back({reader.varint(), reader.varint(), reader.varint()});
  sync::check_copies(copies, kOld, kNew);
  require(copies.size() <= kNew / sync::kLeastCopy, "no more copies than fit");
  const sync::Rest rest = sync::what_is_left(copies, kOld, kNew);
  std::uint64_t copied = 0;
  for (const sync::Copy& copy : copies)
    copied += copy.size;
  require(copied + sync::total_size(rest.of_new) == kNew, "copies and rest are the new file");
  require(sync::total_size(rest.of_old) <= kOld, "the rest of the old file is no more than it");
}

void there_and_back(std::string_view bytes, std::size_t shift) {
  const std::string old = blow_up(bytes, 4 * sync::kBlockBytes);
  const std::string wanted =
      std::string(bytes.substr(bytes.size() / 2)) + old.substr(std::min(shift, old.size()));
  const base::UniqueFd file = file_of(old);
  const sync::BlockTable table = sync::make_block_table(file.get(), old.size(), {});
  require(load(sync::encode_blocks(table), old.size()).blocks == table.blocks,
          "a table arrives as it was made");
  for (const sync::Copy& copy : match(table, wanted))
    require(wanted.compare(copy.to, copy.size, old, copy.from, copy.size) == 0,
            "a copy is what the old file has");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const std::string_view rest = fuzz::bytes_of(data, size).substr(3);
  const std::size_t number = data[1] * std::size_t{256} + data[2];
  fuzz::accepts({base::Code::protocol}, [&] {
    if (data[0] % 4 == 0) hostile_table(rest);
    if (data[0] % 4 == 1) junk_table(rest, number);
    if (data[0] % 4 == 2) hostile_copies(rest);
    if (data[0] % 4 == 3) there_and_back(rest, number);
  });
  return 0;
}
