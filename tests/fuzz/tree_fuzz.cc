// Trees and seals. The first byte says what the rest is: a tree, part of one, a seal as it lies on a disk, or
// the body of a seal that is given the checksum it should have. What is accepted has one spelling only.

#include "core/base/bytes.h"
#include "core/sync/manifest.h"
#include "core/sync/tree_codec.h"
#include "tests/fuzz/fuzz.h"

using namespace porter;
using fuzz::require;

namespace {

void take_tree(std::string_view bytes, sync::Completeness completeness) {
  sync::Tree tree;
  if (!fuzz::accepts({base::Code::protocol}, [&] { tree = sync::decode_tree(bytes, completeness); })) return;
  sync::check_canonical(tree, completeness);
  const bool older = bytes.starts_with('\x01');
  const bool same = sync::encode_tree(tree, sync::Stamps::yes) == bytes ||
                    sync::encode_tree(tree, sync::Stamps::no) == bytes;
  require(same || older, "a tree has one spelling");
}

void take_seal(std::string_view bytes) {
  const auto refusals = {base::Code::io, base::Code::refused};
  sync::Seal seal;
  if (!fuzz::accepts(refusals, [&] { seal = sync::decode_seal(bytes, "fuzz"); })) return;
  require(sync::decode_seal_header(bytes, "fuzz") == seal.header, "the header alone says the same");
  const std::string again = sync::encode_seal(seal.header, seal.tree);
  require(sync::decode_seal(again, "fuzz").tree == seal.tree, "a seal is read as it was written");
}

constexpr std::uint8_t kBefore = 3;  // with the longer checksum

std::string with_checksum(std::uint8_t version, std::string_view body) {
  base::ByteWriter writer;
  writer.raw("porter.seal\n").u8(version).raw(body);
  if (version == sync::kSealVersion) return writer.checksum(base::checksum(writer.data())).take();
  return writer.digest(base::sha256(writer.data())).take();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest = fuzz::bytes_of(data, size).substr(1);
  if (data[0] % 5 == 0) take_tree(rest, sync::Completeness::whole);
  if (data[0] % 5 == 1) take_tree(rest, sync::Completeness::part);
  if (data[0] % 5 == 2) take_seal(rest);
  if (data[0] % 5 == 3) take_seal(with_checksum(sync::kSealVersion, rest));
  if (data[0] % 5 == 4) take_seal(with_checksum(kBefore, rest));
  return 0;
}
