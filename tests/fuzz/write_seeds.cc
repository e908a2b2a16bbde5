// write_seeds FOLDER: first inputs for the targets whose formats nobody types (FOLDER/tree, blocks, delta,
// event, packed, stripes, record, request, journal), made by the rooms' own writers.

#include <fcntl.h>

#include <filesystem>
#include <random>

#include "core/agent/record.h"
#include "core/base/fd.h"
#include "core/base/files.h"
#include "core/engine/journal.h"
#include "core/engine/request.h"
#include "core/event/codec.h"
#include "core/event/reply.h"
#include "core/protocol/frame.h"
#include "core/protocol/packer.h"
#include "core/protocol/stripes.h"
#include "core/sync/block_table.h"
#include "core/sync/compare.h"
#include "core/sync/delta.h"
#include "core/sync/manifest.h"
#include "core/sync/tree_codec.h"
#include "tests/unit/sync/sample_trees.h"

using namespace porter;

namespace {

class Seeds {
 public:
  explicit Seeds(std::filesystem::path folder) : folder_(std::move(folder)) {}
  void add(const std::string& target, std::string_view bytes) {
    base::make_folders(folder_ / target);
    base::write_file(folder_ / target / ("made" + std::to_string(count_++)), bytes);
  }

 private:
  std::filesystem::path folder_;
  int count_ = 0;
};

void write_tree(Seeds& seeds, const sync::Tree& tree) {
  const std::string bytes = sync::encode_tree(tree, sync::Stamps::no);
  seeds.add("tree", '\0' + bytes);
  seeds.add("tree", '\1' + bytes);
  seeds.add("compare", sync::encode_folder_digests(sync::folder_digests(tree)));
  seeds.add("tree", '\0' + sync::encode_tree(tree, sync::Stamps::yes));
  const std::string seal = sync::encode_seal({"r1", "skip", "label", "", "run", 1, "releases", {}, {}}, tree);
  seeds.add("tree", '\2' + seal);
  constexpr std::size_t kHead = 13;  // magic and version; the checksum is at the end
  const char body = tree.keeps.any() ? '\4' : '\3';
  seeds.add("tree", body + seal.substr(kHead, seal.size() - kHead - base::Checksum().size()));
}

void write_trees(Seeds& seeds) {
  std::mt19937 random(1);
  for (int folders = 1; folders < 8; ++folders) {
    const sync::Tree tree = sync::test::random_tree(random, sync::Identity::content_only, folders, 3);
    write_tree(seeds, tree);
    write_tree(seeds, sync::test::with_extras(tree));
  }
}

// The first byte says what is done with the rest, and in which pieces.
// Rounds of channel, length and bytes: three stripes out of order, and the end.
void write_stripes(Seeds& seeds) {
  const auto round = [](char channel, const std::string& bytes) {
    return std::string{channel, static_cast<char>(bytes.size())} + bytes;
  };
  const auto stripe = [](std::uint64_t number, const std::string& bytes) {
    return protocol::stripe_header(bytes.size(), number) + bytes;
  };
  seeds.add("stripes", round(1, stripe(1, "b")) + round(2, stripe(2, "c")) + round(0, stripe(0, "a")) +
                           round(0, protocol::stripe_header(0, 3) + "rest"));
  seeds.add("stripes", round(0, stripe(0, "cut").substr(0, 5)) + round(0, stripe(0, "cut").substr(5)));
}

void write_packed(Seeds& seeds) {
  for (const auto kind : {protocol::Packer::Stream::continued, protocol::Packer::Stream::single}) {
    protocol::Packer packer(kind);
    std::string stream;
    for (int i = 0; i < 3; ++i)
      stream += packer.pack(protocol::encode_frame(9, std::string(3000, static_cast<char>('a' + i))), 1);
    seeds.add("packed", '\xfd' + stream);
    seeds.add("packed", '\xfc' + stream.substr(protocol::kHeaderSize));
  }
}

// Both formats for the files that the target makes itself are found by mutation; these show the shape.
void write_deltas(Seeds& seeds) {
  const base::TemporaryFolder folder;
  std::mt19937 random(2);
  const std::string old = sync::test::random_bytes(random, 5000);
  const std::string wanted = old.substr(0, 2048) + "inserted" + old.substr(2048);
  base::write_file(folder.path() / "old", old);
  base::write_file(folder.path() / "new", wanted);
  const auto open_file = [&](const char* name) {
    return base::UniqueFd(::open((folder.path() / name).c_str(), O_RDONLY | O_CLOEXEC));
  };
  const base::UniqueFd old_file = open_file("old");
  const base::UniqueFd new_file = open_file("new");
  std::string signature;
  sync::SignatureJob({old_file.get(), old.size()}).run([&](std::string_view bytes) { signature += bytes; });
  sync::SignatureLoader loader(old.size());
  loader.feed(signature);
  const sync::Signature loaded = loader.finish();
  std::string delta;
  sync::DeltaJob(loaded, {new_file.get(), wanted.size()}).run([&](std::string_view bytes) {
    delta += bytes;
  });
  seeds.add("delta", std::string("\0\xff", 2) + signature.substr(12));
  seeds.add("delta", "\1\xff" + signature);
  seeds.add("delta", "\2\xff" + delta);
  seeds.add("delta", "\2\x01" + delta);
  seeds.add("delta", "\3\xff" + wanted);
}

void write_blocks(Seeds& seeds) {
  const std::string zeros(64U << 10U, '\0');
  const sync::BlockTable table{2 * zeros.size(), {2, {sync::weak_sum(zeros), sync::strong_sum(zeros)}}};
  const std::string bytes = sync::encode_blocks(table);
  seeds.add("blocks", std::string("\0\0\0", 3) + bytes);
  seeds.add("blocks", std::string("\1\0\x82", 3) + bytes);
  base::ByteWriter copies;
  for (const std::uint64_t number : {0, 777, 65536, 1, 70'000, 2000})
    copies.varint(number);
  seeds.add("blocks", std::string("\2\0\0", 3) + copies.data());
  seeds.add("blocks", std::string("\3\0\7", 3) + "a few bytes that are repeated");
}

template <std::size_t kIndex = 0>
void write_events(Seeds& seeds) {
  if constexpr (kIndex < std::variant_size_v<event::Event>) {
    const event::Event empty = std::variant_alternative_t<kIndex, event::Event>();
    seeds.add("event", event::encode(empty, base::WallTime()));
    write_events<kIndex + 1>(seeds);
  }
}

void write_journal(Seeds& seeds) {
  using engine::Step;
  const base::TemporaryFolder folder;
  engine::Journal journal(folder.path() / "journal");
  for (const Step step : {Step::staging, Step::activating, Step::committing, Step::done})
    journal.record({step, 0, "web", "one", "20261121T070509Z-1a2b3c4d-1f2e"});
  seeds.add("journal", base::read_file(folder.path() / "journal"));
}

}  // namespace

int main(int, char** arguments) {
  Seeds seeds(arguments[1]);
  write_trees(seeds);
  write_blocks(seeds);
  write_deltas(seeds);
  write_packed(seeds);
  write_stripes(seeds);
  write_events(seeds);
  write_journal(seeds);
  seeds.add("event", event::encode(event::Reply(event::Stop())));
  seeds.add("event", event::encode(event::Reply(event::Answer{7, base::Secret("yes")})));
  seeds.add("request", engine::encode(engine::Request()));
  seeds.add("record", agent::Record().set("action", "commit").set("who", "ann at home\n").line());
  return 0;
}
