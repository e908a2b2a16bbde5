#pragma once
// The seal: `.porter/manifests/<id>`, the durable manifest that makes a stage a release (docs/formats.md,
// "Seal"). Written by the agent, read by both ends. A file that was cut or changed at any byte is detected.
// Pure functions; writing the file durably is the caller's affair.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/sync/tree.h"

namespace porter::sync {

struct SealHeader {
  std::string release_id;
  std::string skip_key;       // equal means: nothing to deploy
  std::string version_label;  // what people see: "1a2b3c4d (branch release/0.1.2)"
  std::string commit;         // full id, or ""
  std::string run_id;
  std::int64_t made_at_ns = 0;  // since the epoch
  std::string layout;           // "releases" or "inplace"
  base::Digest root_digest{};   // filled in by encode_seal from the tree
  // More, by name, for what later versions want to remember; unknown names are kept. In order, no name twice.
  std::vector<std::pair<std::string, std::string>> notes;
  friend bool operator==(const SealHeader&, const SealHeader&) = default;
};

struct Seal {
  SealHeader header;
  Tree tree;  // with stamps
};

// What decode_seal_beginning() wants to see: headers are some hundred bytes long.
constexpr std::size_t kSealBeginning = 4U << 10U;

// The tree must be whole, canonical and sealed.
std::string encode_seal(const SealHeader& header, const Tree& tree);
// `subject` names the file in messages. Throws Error(io) when the bytes are damaged, and Error(refused) when
// they are whole but of a newer format, naming both versions.
Seal decode_seal(std::string_view bytes, std::string_view subject);
// Checks all bytes the same, but spares decoding the tree.
SealHeader decode_seal_header(std::string_view bytes, std::string_view subject);
// The header from the first kSealBeginning bytes of a seal (all, of a shorter one), for lists of releases:
// what comes behind the header is not looked at. Nothing when that takes the whole seal, since the header is
// longer or the format another.
std::optional<SealHeader> decode_seal_beginning(std::string_view bytes, std::string_view subject);

constexpr std::uint8_t kSealVersion = 4;

}  // namespace porter::sync
