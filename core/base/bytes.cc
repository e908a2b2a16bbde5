#include "core/base/bytes.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace porter::base {

ByteWriter& ByteWriter::u8(std::uint8_t value) {
  data_.push_back(static_cast<char>(value));
  return *this;
}

ByteWriter& ByteWriter::u32(std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8)
    u8(static_cast<std::uint8_t>(value >> shift));
  return *this;
}

ByteWriter& ByteWriter::u64(std::uint64_t value) {
  return u32(static_cast<std::uint32_t>(value >> 32U)).u32(static_cast<std::uint32_t>(value));
}

ByteWriter& ByteWriter::varint(std::uint64_t value) {
  char bytes[10];
  std::size_t length = 0;
  for (; value >= 0x80U; value >>= 7U)
    bytes[length++] = static_cast<char>(value | 0x80U);
  bytes[length++] = static_cast<char>(value);
  return raw({bytes, length});
}

ByteWriter& ByteWriter::signed_varint(std::int64_t value) {
  const auto bits = static_cast<std::uint64_t>(value);
  return varint(value < 0 ? ~(bits << 1U) : bits << 1U);
}

ByteWriter& ByteWriter::raw(std::string_view bytes) {
  data_.append(bytes);
  return *this;
}

ByteWriter& ByteWriter::text(std::string_view bytes) {
  return varint(bytes.size()).raw(bytes);
}

ByteWriter& ByteWriter::digest(const Digest& digest) {
  data_.append(reinterpret_cast<const char*>(digest.data()), digest.size());
  return *this;
}

ByteWriter& ByteWriter::checksum(const Checksum& sum) {
  data_.append(reinterpret_cast<const char*>(sum.data()), sum.size());
  return *this;
}

std::string ByteWriter::take() {
  return std::exchange(data_, {});
}

std::uint8_t ByteReader::u8() {
  if (at_end()) raw(1);
  return static_cast<std::uint8_t>(data_[position_++]);
}

std::uint32_t ByteReader::u32() {
  std::uint32_t value = 0;
  for (const char byte : raw(4))
    value = value << 8U | static_cast<std::uint8_t>(byte);
  return value;
}

std::uint64_t ByteReader::u64() {
  const std::uint64_t high = u32();
  return high << 32U | u32();
}

std::uint64_t ByteReader::varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0;; shift += 7) {
    const std::uint8_t byte = u8();
    if (shift == 63 && byte > 1) throw error("a number beyond 64 bits");
    value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
    if ((byte & 0x80U) != 0) continue;
    if (byte == 0 && shift > 0) throw error("a number with needless bytes");
    return value;
  }
}

std::uint64_t ByteReader::varint_up_to(std::uint64_t limit) {
  const std::uint64_t value = varint();
  if (value > limit) throw error(fmt::format("the number {} where at most {} is allowed", value, limit));
  return value;
}

std::int64_t ByteReader::signed_varint() {
  const std::uint64_t bits = varint();
  return static_cast<std::int64_t>((bits & 1U) != 0 ? ~(bits >> 1U) : bits >> 1U);
}

std::string_view ByteReader::raw(std::size_t length) {
  if (length > remaining())
    throw error(fmt::format("cut short: {} more bytes needed, {} left", length, remaining()));
  const std::string_view bytes = data_.substr(position_, length);
  position_ += length;
  return bytes;
}

std::string_view ByteReader::text(std::size_t limit) {
  return raw(static_cast<std::size_t>(varint_up_to(limit)));
}

Digest ByteReader::digest() {
  Digest digest{};
  const std::string_view bytes = raw(digest.size());
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(digest.data()));
  return digest;
}

Checksum ByteReader::checksum() {
  Checksum sum{};
  const std::string_view bytes = raw(sum.size());
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(sum.data()));
  return sum;
}

std::size_t ByteReader::count(std::size_t least_bytes) {
  const std::uint64_t value = varint();
  if (value > remaining() / least_bytes)
    throw error(fmt::format("announces {} things, but holds {} more bytes", value, remaining()));
  return static_cast<std::size_t>(value);
}

void ByteReader::expect_end() const {
  if (!at_end()) throw error(fmt::format("{} bytes too many", remaining()));
}

Error ByteReader::error(std::string_view what) const {
  return {Code::protocol, fmt::format("{}: {}, at byte {}", subject_, what, position_)};
}

}  // namespace porter::base
