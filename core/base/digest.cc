// The low-level SHA256_* calls are deprecated in OpenSSL 3 in favour of EVP, which drags every algorithm of
// the default provider into the static agent (some 4 MiB instead of some 20 KiB). Same code, same speed.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "core/base/digest.h"

#include <fcntl.h>
#include <openssl/sha.h>

#include <cstring>
#include <vector>

#include "core/base/error.h"
#include "core/base/fd.h"

namespace porter::base {

struct Sha256::State {
  SHA256_CTX context;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  if (SHA256_Init(&state_->context) != 1) throw Error(Code::internal, "SHA-256 is not available");
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

Sha256& Sha256::update(std::span<const std::byte> bytes) {
  if (SHA256_Update(&state_->context, bytes.data(), bytes.size()) != 1)
    throw Error(Code::internal, "SHA-256 failed");
  return *this;
}

Sha256& Sha256::update(std::string_view text) {
  return update(std::as_bytes(std::span(text.data(), text.size())));
}

Digest Sha256::finish() {
  Digest digest{};
  if (SHA256_Final(digest.data(), &state_->context) != 1) throw Error(Code::internal, "SHA-256 failed");
  return digest;
}

Digest sha256(std::string_view text) {
  return Sha256().update(text).finish();
}

Digest sha256_of_file(const std::filesystem::path& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw_errno(file.string());
  Sha256 hash;
  std::vector<std::byte> buffer(256 * 1024);
  while (const std::size_t got = read_some(fd.get(), buffer))
    hash.update(std::span(buffer).first(got));
  return hash.finish();
}

std::size_t DigestHash::operator()(const Digest& digest) const {
  std::size_t hash = 0;
  std::memcpy(&hash, digest.data(), sizeof hash);
  return hash;
}

std::string to_hex(std::span<const std::uint8_t> bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 15U];
  }
  return out;
}

std::string to_hex(const Digest& digest) {
  return to_hex(std::span<const std::uint8_t>(digest));
}

std::optional<std::string> from_hex(std::string_view text) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]);
    const int low = digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

}  // namespace porter::base
