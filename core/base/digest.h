#pragma once
// SHA-256: of names, recipes and encodings as it is, and of contents of files by way of content_digest.h. One
// Sha256 is used by one thread at a time.

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace porter::base {

using Digest = std::array<std::uint8_t, 32>;

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  Sha256& update(std::span<const std::byte> bytes);
  Sha256& update(std::string_view text);
  // Ends the computation; the object must not be used again.
  Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Digest sha256(std::string_view text);
// Throws Error(io).
Digest sha256_of_file(const std::filesystem::path& file);

// For unordered containers: SHA-256 is evenly spread, so its first bytes are a hash already.
struct DigestHash {
  std::size_t operator()(const Digest& digest) const;
};

std::string to_hex(std::span<const std::uint8_t> bytes);
std::string to_hex(const Digest& digest);
// The bytes; nothing when the text is anything but pairs of lower-case digits.
std::optional<std::string> from_hex(std::string_view text);

}  // namespace porter::base
