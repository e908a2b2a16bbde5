#include "core/sync/manifest.h"

#include <fmt/format.h>

#include "core/base/bytes.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/sync/tree_codec.h"

namespace porter::sync {
namespace {

using base::ByteReader;
using base::ByteWriter;
using base::Code;
using base::Error;

constexpr std::string_view kMagic = "porter.seal\n";
constexpr std::size_t kMaxText = 64U << 10U;
constexpr std::size_t kDigestBytes = base::Digest().size();

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

// Magic and checksum stay the same in every version, so that "damaged" and "newer" can be told apart.
std::string_view checked_body(std::string_view bytes) {
  if (!bytes.starts_with(kMagic)) throw Error(Code::io, "it does not begin as a seal does");
  if (bytes.size() < kMagic.size() + 1 + kDigestBytes) throw Error(Code::io, "it is cut short");
  const std::string_view covered = bytes.substr(0, bytes.size() - kDigestBytes);
  if (ByteReader(bytes.substr(covered.size())).digest() != base::sha256(covered))
    throw Error(Code::io, "its checksum does not match");
  const auto version = static_cast<std::uint8_t>(covered[kMagic.size()]);
  if (version != kSealVersion)
    throw Error(Code::refused, fmt::format("seal format {}, this program knows {}", version, kSealVersion))
        .hint("use the newer porter-admin that wrote it");
  return covered.substr(kMagic.size() + 1);
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
  writer.raw(encode_tree(tree, Stamps::yes));
  const base::Digest checksum = base::sha256(writer.data());
  return writer.digest(checksum).take();
}

Seal decode_seal(std::string_view bytes, std::string_view subject) {
  return reading(subject, [&] {
    ByteReader reader(checked_body(bytes), "seal");
    Seal seal;
    seal.header = decode_header(reader.text(reader.remaining()));
    seal.tree = decode_tree(reader.raw(reader.remaining()));
    if (seal.tree.root_digest() != seal.header.root_digest)
      throw Error(Code::io, "header and tree name different digests");
    return seal;
  });
}

SealHeader decode_seal_header(std::string_view bytes, std::string_view subject) {
  return reading(subject, [&] {
    ByteReader reader(checked_body(bytes), "seal");
    return decode_header(reader.text(reader.remaining()));
  });
}

}  // namespace porter::sync
