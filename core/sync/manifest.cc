#include "core/sync/manifest.h"

#include <fmt/format.h>

#include "core/base/bytes.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/sync/tree_codec.h"
#include "core/sync/tree_file.h"

namespace porter::sync {
namespace {

using base::ByteReader;
using base::ByteWriter;
using base::Code;
using base::Error;

constexpr std::string_view kMagic = "porter.seal\n";
constexpr std::uint8_t kWireTree = 1;    // a tree as on the wire, no checksum of the header
constexpr std::uint8_t kWithSha256 = 3;  // this version, and 2, have a longer checksum
constexpr std::size_t kMaxText = 64U << 10U;
constexpr std::size_t kDigestBytes = base::Digest().size();
constexpr std::size_t kChecksumBytes = base::Checksum().size();

// Another one than the checksum at the end: a seal that was cut behind its header would be whole else.
base::Digest header_checksum(std::string_view beginning) {
  return base::Sha256().update("porter.seal.head\n").update(beginning).finish();
}

std::string encode_header(const SealHeader& header, const base::Digest& root) {
  ByteWriter writer;
  writer.text(header.release_id).text(header.skip_key).text(header.version_label);
  writer.text(header.commit).text(header.run_id).signed_varint(header.made_at_ns);
  writer.text(header.layout).digest(root).varint(header.notes.size());
  for (const auto& [name, value] : header.notes)
    writer.text(name).text(value);
  return writer.take();
}

SealHeader decode_header(std::string_view bytes) {
  ByteReader reader(bytes, "header");
  SealHeader header;
  header.release_id = reader.text(kMaxText);
  header.skip_key = reader.text(kMaxText);
  header.version_label = reader.text(kMaxText);
  header.commit = reader.text(kMaxText);
  header.run_id = reader.text(kMaxText);
  header.made_at_ns = reader.signed_varint();
  header.layout = reader.text(kMaxText);
  header.root_digest = reader.digest();
  for (std::size_t left = reader.count(2); left > 0; --left) {
    std::string name(reader.text(kMaxText));
    if (!header.notes.empty() && header.notes.back().first >= name) throw reader.error("notes out of order");
    header.notes.emplace_back(std::move(name), reader.text(kMaxText));
  }
  reader.expect_end();
  return header;
}

bool is_sound(std::string_view covered, std::string_view checksum) {
  ByteReader reader(checksum);
  return checksum.size() == kDigestBytes ? reader.digest() == base::sha256(covered)
                                         : reader.checksum() == base::checksum(covered);
}

// What follows the magic. It, the version's place and the checksum stay the same in every version from 4 on,
// so that "damaged" and "newer" can be told apart.
ByteReader checked(std::string_view bytes) {
  if (!bytes.starts_with(kMagic)) throw Error(Code::io, "it does not begin as a seal does");
  if (bytes.size() < kMagic.size() + 1 + kDigestBytes) throw Error(Code::io, "it is cut short");
  const auto version = static_cast<std::uint8_t>(bytes[kMagic.size()]);
  const std::size_t covered = bytes.size() - (version > kWithSha256 ? kChecksumBytes : kDigestBytes);
  if (!is_sound(bytes.substr(0, covered), bytes.substr(covered)))
    throw Error(Code::io, "its checksum does not match");
  return ByteReader(bytes.substr(kMagic.size(), covered - kMagic.size()), "seal");
}

std::uint8_t read_version(ByteReader& reader) {
  const std::uint8_t version = reader.u8();
  if (version < kWireTree || version > kSealVersion)
    throw Error(Code::refused, fmt::format("seal format {}, this program knows {}", version, kSealVersion))
        .hint("use the newer porter-admin that wrote it");
  return version;
}

Tree read_tree(ByteReader& reader, std::uint8_t version) {
  if (version == kWireTree) return decode_tree(reader.raw(reader.remaining()));
  reader.digest();  // of the header: all bytes are checked
  return read_tree_file(reader.raw(reader.remaining()));
}

template <class Work>
auto reading(std::string_view subject, Work&& work) -> decltype(work()) {
  try {
    return work();
  } catch (const Error& error) {
    const bool newer = error.code() == Code::refused;
    throw Error(newer ? Code::refused : Code::io,
                fmt::format("{}: {}{}", base::printable(subject), newer ? "" : "damaged: ", error.message()))
        .hint(error.hint_text());
  }
}

}  // namespace

std::string encode_seal(const SealHeader& header, const Tree& tree) {
  ByteWriter writer;
  writer.raw(kMagic).u8(kSealVersion);
  writer.text(encode_header(header, tree.root_digest()));
  writer.digest(header_checksum(writer.data()));
  write_tree_file(writer, tree);
  writer.checksum(base::checksum(writer.data()));
  return writer.take();
}

Seal decode_seal(std::string_view bytes, std::string_view subject) {
  return reading(subject, [&] {
    ByteReader reader = checked(bytes);
    const std::uint8_t version = read_version(reader);
    Seal seal;
    seal.header = decode_header(reader.text(reader.remaining()));
    seal.tree = read_tree(reader, version);
    if (seal.tree.root_digest() != seal.header.root_digest)
      throw Error(Code::io, "header and tree name different digests");
    return seal;
  });
}

SealHeader decode_seal_header(std::string_view bytes, std::string_view subject) {
  return reading(subject, [&] {
    ByteReader reader = checked(bytes);
    read_version(reader);
    return decode_header(reader.text(reader.remaining()));
  });
}

std::optional<SealHeader> decode_seal_beginning(std::string_view bytes, std::string_view subject) {
  return reading(subject, [&]() -> std::optional<SealHeader> {
    if (!bytes.starts_with(kMagic)) throw Error(Code::io, "it does not begin as a seal does");
    ByteReader reader(bytes, "seal");
    reader.raw(kMagic.size());
    const std::uint8_t version = reader.u8();
    if (version <= kWireTree || version > kSealVersion) return std::nullopt;
    const std::uint64_t length = reader.varint();
    if (length + kDigestBytes > reader.remaining()) return std::nullopt;
    const std::string_view header = reader.raw(static_cast<std::size_t>(length));
    const base::Digest found = header_checksum(bytes.substr(0, reader.position()));
    if (reader.digest() != found) throw Error(Code::io, "its header's checksum does not match");
    return decode_header(header);
  });
}

}  // namespace porter::sync
