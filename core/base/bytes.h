#pragma once
// Bytes of our own formats and of the wire: one writer and one reader for all of them (docs/formats.md,
// "Primitives"). The reader trusts nothing: every length is checked against what is left before anything is
// allocated, and each value has one spelling only. Values, one thread at a time.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/checksum.h"
#include "core/base/digest.h"
#include "core/base/error.h"

namespace porter::base {

class ByteWriter {
 public:
  ByteWriter& u8(std::uint8_t value);
  // Fixed width, big-endian.
  ByteWriter& u32(std::uint32_t value);
  ByteWriter& u64(std::uint64_t value);
  // LEB128: seven bits a byte, lowest first, the high bit set on all bytes but the last.
  ByteWriter& varint(std::uint64_t value);
  // Zigzag (0, -1, 1, -2, …), then varint.
  ByteWriter& signed_varint(std::int64_t value);
  // The bytes alone.
  ByteWriter& raw(std::string_view bytes);
  // varint length, then the bytes.
  ByteWriter& text(std::string_view bytes);
  ByteWriter& digest(const Digest& digest);
  ByteWriter& checksum(const Checksum& sum);

  // Room for so many bytes in all, for what is going to be large.
  void reserve(std::size_t bytes) { data_.reserve(bytes); }
  const std::string& data() const { return data_; }
  std::size_t size() const { return data_.size(); }
  // Hands the bytes over and starts again empty.
  std::string take();

 private:
  std::string data_;
};

// Reads from bytes that must outlive it. Everything throws Error(protocol) "<subject>: …, at byte N".
class ByteReader {
 public:
  explicit ByteReader(std::string_view data, std::string_view subject = "data")
      : data_(data), subject_(subject) {}

  std::uint8_t u8();
  std::uint32_t u32();
  std::uint64_t u64();
  // Refuses spellings with needless bytes.
  std::uint64_t varint();
  // The same, refusing what is above `limit`.
  std::uint64_t varint_up_to(std::uint64_t limit);
  std::int64_t signed_varint();
  std::string_view raw(std::size_t length);
  std::string_view text(std::size_t limit);
  Digest digest();
  Checksum checksum();
  // A number of things of at least `least_bytes` (≥ 1) each: refused when the rest cannot hold as many, so
  // that it is safe to reserve for it.
  std::size_t count(std::size_t least_bytes);

  std::size_t position() const { return position_; }
  std::size_t remaining() const { return data_.size() - position_; }
  bool at_end() const { return remaining() == 0; }
  void expect_end() const;
  // The error to throw for a value that makes no sense here.
  Error error(std::string_view what) const;

 private:
  std::string_view data_;
  std::string subject_;
  std::size_t position_ = 0;
};

}  // namespace porter::base
