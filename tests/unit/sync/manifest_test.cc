#include "core/sync/manifest.h"

#include "core/base/bytes.h"
#include "core/base/error.h"
#include "tests/support/catch.h"
#include "tests/unit/sync/sample_trees.h"

using namespace porter;
using namespace porter::sync;
using namespace porter::sync::test;

namespace {

SealHeader sample_header(const Tree& tree) {
  SealHeader header;
  header.release_id = "20261121T070509Z-1a2b3c4d-x7k2";
  header.skip_key = "key\nwith newline";
  header.version_label = "1a2b3c4d (branch release/0.1.2)";
  header.commit = std::string(40, 'a');
  header.run_id = "run";
  header.made_at_ns = 1'795'244'709'123'456'789;
  header.layout = "releases";
  header.root_digest = tree.root_digest();
  header.notes = {{"config", "testing"}, {"plugins", "a 1\nb 2"}};
  return header;
}

}  // namespace

TEST_CASE("a seal gives back its header and its tree with stamps") {
  std::mt19937 random(21);
  for (int i = 0; i < 20; ++i) {
    const Tree tree = random_tree(random, Identity::with_mtime);
    const std::string bytes = encode_seal(sample_header(tree), tree);
    const Seal seal = decode_seal(bytes, "manifest");
    CHECK(seal.header == sample_header(tree));
    CHECK(seal.tree == tree);
    CHECK(decode_seal_header(bytes, "manifest") == seal.header);
    CHECK(decode_seal_beginning(std::string_view(bytes).substr(0, kSealBeginning), "manifest") ==
          seal.header);
  }
}

TEST_CASE("a header is read from the beginning of a seal, and is damaged by itself") {
  const Tree tree = tree_of({{"f", "1"}});
  SealHeader header = sample_header(tree);
  std::string bytes = encode_seal(header, tree);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  CHECK(decode_seal_beginning(bytes, "s") == header);
  for (std::size_t at = 0; at < 120; ++at) {
    std::string spoilt = bytes;
    spoilt[at] = static_cast<char>(spoilt[at] ^ 1);
    std::optional<SealHeader> read;
    try {
      read = decode_seal_beginning(spoilt, "s");
    } catch (const base::Error& error) {
      CHECK(error.message().starts_with("s: damaged: "));
    }
    CHECK_FALSE(read);
  }
  header.notes = {{"long", std::string(kSealBeginning, 'x')}};
  const std::string large = encode_seal(header, tree);
  CHECK_FALSE(decode_seal_beginning(std::string_view(large).substr(0, kSealBeginning), "s"));
  CHECK(decode_seal_header(large, "s") == header);
}

TEST_CASE("a seal of the format before is read") {
  const Tree tree = tree_of({{"bin/run", "#!/bin/sh\n"}, {"run@", "bin/run"}});
  const std::string now = encode_seal(sample_header(tree), tree);
  base::ByteReader reader(now);
  reader.raw(13);
  const std::string header(reader.text(1000));
  base::ByteWriter writer;
  writer.raw("porter.seal\n").u8(1).text(header);
  writer.raw(
      *base::from_hex("010200ed030002010362696eed0300030372756e0762696e2f72756e01020372756ea403000a"
                      "a8076d3d28d21e02012b20eaf7dbf75409a6277134439025f282e368e3305abf"));
  writer.digest(base::sha256(writer.data()));
  const Seal seal = decode_seal(writer.data(), "s");
  CHECK(seal.header == sample_header(tree));
  CHECK(seal.tree == tree);
  CHECK(decode_seal_header(writer.data(), "s") == seal.header);
  CHECK_FALSE(decode_seal_beginning(writer.data(), "s"));
}

TEST_CASE("a seal with the longer checksum of earlier formats is read") {
  const Tree tree = tree_of({{"bin/run", "#!/bin/sh\n"}, {"run@", "bin/run"}});
  const std::string now = encode_seal(sample_header(tree), tree);
  base::ByteReader reader(std::string_view(now).substr(0, now.size() - 16));
  reader.raw(13);
  const std::string header(reader.text(1000));
  reader.digest();
  const std::string rows(reader.raw(reader.remaining()));
  for (const std::uint8_t version : {std::uint8_t{2}, std::uint8_t{3}}) {
    base::ByteWriter writer;
    writer.raw("porter.seal\n").u8(version).text(header);
    writer.digest(base::sha256("porter.seal.head\n" + writer.data())).raw(rows);
    writer.digest(base::sha256(writer.data()));
    const Seal seal = decode_seal(writer.data(), "s");
    CHECK(seal.header == sample_header(tree));
    CHECK(seal.tree == tree);
    CHECK(decode_seal_beginning(writer.data(), "s") == seal.header);
    const std::string cut = writer.data().substr(0, writer.size() - 1);
    CHECK_THROWS_AS(decode_seal(cut, "s"), base::Error);
  }
}

TEST_CASE("a seal that was cut or changed at any byte is detected") {
  std::mt19937 random(22);
  const Tree tree = random_tree(random, Identity::content_only, 4, 4);
  std::string bytes = encode_seal(sample_header(tree), tree);
  const auto damaged = [](std::string_view spoiled) {
    for (const bool whole : {true, false}) {
      try {
        if (whole) decode_seal(spoiled, "manifests/x");
        if (!whole) decode_seal_header(spoiled, "manifests/x");
        FAIL("accepted");
      } catch (const base::Error& error) {
        CHECK(error.code() == base::Code::io);
        CHECK(error.message().starts_with("manifests/x: damaged: "));
      }
    }
  };
  for (std::size_t length = 0; length < bytes.size(); ++length)
    damaged(std::string_view(bytes).substr(0, length));
  for (std::size_t at = 0; at < bytes.size(); ++at)
    for (const char mask : {'\x01', '\x80', '\xFF'}) {
      bytes[at] = static_cast<char>(bytes[at] ^ mask);
      damaged(bytes);
      bytes[at] = static_cast<char>(bytes[at] ^ mask);
    }
  damaged(bytes + "x");
  CHECK_NOTHROW(decode_seal(bytes, "manifests/x"));
}

TEST_CASE("a seal of a newer format is named as such, with both versions") {
  const Tree tree = tree_of({{"f", "1"}});
  std::string bytes = encode_seal(sample_header(tree), tree);
  bytes[12] = 9;
  bytes.resize(bytes.size() - 16);
  const auto checksum = base::checksum(bytes);
  bytes = base::ByteWriter().raw(bytes).checksum(checksum).take();
  try {
    decode_seal(bytes, "manifests/x");
    FAIL("accepted");
  } catch (const base::Error& error) {
    CHECK(error.code() == base::Code::refused);
    CHECK(error.message() == "manifests/x: seal format 9, this program knows 4");
  }
}

TEST_CASE("a seal is the documented bytes") {
  // docs/formats.md: change both, or neither, and then the format's version.
  SealHeader header;
  header.release_id = "r1";
  header.layout = "releases";
  header.made_at_ns = 1;
  const std::string seal = encode_seal(header, tree_of({{"bin/run", "#!/bin/sh\n"}, {"run@", "bin/run"}}));
  CHECK(seal.size() == 255);
  CHECK(seal.starts_with("porter.seal\n\x04\x32\x02r1" + std::string(4, '\0') +
                         "\x02\x08releases\x59\x11\xd2\x8f"));
  CHECK(base::to_hex(base::sha256(seal)) ==
        "e558fecc8c0dededcc17c78e709bacd12cb4a49ab84fe8448a7430aa0d78e403");
}
