#pragma once
// The two archives that a message's description is run with: one writes fields, one reads and checks them.
// Used by messages.cc alone.

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"
#include "core/protocol/frame.h"

namespace porter::protocol {

class FieldWriter {
 public:
  void number(std::uint64_t value, std::uint64_t /*limit*/) { out_.varint(value); }
  template <class Integer>
  void number(const Integer& value) {
    out_.varint(value);
  }
  void signed_number(std::int64_t value) { out_.signed_varint(value); }
  template <class Integer>
  void small_signed(const Integer& value) {
    out_.signed_varint(value);
  }
  void flag(bool value) { out_.u8(value ? 1 : 0); }
  template <class Enum>
  void choice(const Enum& value, std::uint8_t /*last*/) {
    out_.u8(static_cast<std::uint8_t>(value));
  }
  void text(const std::string& value, std::size_t /*limit*/) { out_.text(value); }
  void digest(const base::Digest& value) { out_.digest(value); }
  template <class Item, class Each>
  void list(const std::vector<Item>& items, Each each) {
    out_.varint(items.size());
    for (const Item& item : items)
      each(*this, const_cast<Item&>(item));
  }
  std::string take() { return out_.take(); }

 private:
  base::ByteWriter out_;
};

class FieldReader {
 public:
  FieldReader(std::string_view payload, std::string_view subject) : in_(payload, subject) {}

  template <class Integer>
  void number(Integer& value) {
    value = static_cast<Integer>(in_.varint_up_to(std::numeric_limits<Integer>::max()));
  }
  void signed_number(std::int64_t& value) { value = in_.signed_varint(); }
  template <class Integer>
  void small_signed(Integer& value) {
    const std::int64_t wide = in_.signed_varint();
    if (wide < std::numeric_limits<Integer>::min() || wide > std::numeric_limits<Integer>::max())
      throw in_.error("a number out of range");
    value = static_cast<Integer>(wide);
  }
  void flag(bool& value) {
    const std::uint8_t byte = in_.u8();
    if (byte > 1) throw in_.error("a yes or no that is neither");
    value = byte == 1;
  }
  // Enums count from 1.
  template <class Enum>
  void choice(Enum& value, std::uint8_t last) {
    const std::uint8_t byte = in_.u8();
    if (byte < 1 || byte > last) throw in_.error("an unknown choice");
    value = static_cast<Enum>(byte);
  }
  void text(std::string& value, std::size_t limit) { value = in_.text(limit); }
  void digest(base::Digest& value) { value = in_.digest(); }
  template <class Item, class Each>
  void list(std::vector<Item>& items, Each each) {
    const std::size_t count = in_.count(1);
    items.clear();
    for (std::size_t i = 0; i < count; ++i)
      each(*this, items.emplace_back());
  }
  base::Error error(std::string_view what) const { return in_.error(what); }
  void expect_end() const { in_.expect_end(); }

 private:
  base::ByteReader in_;
};

}  // namespace porter::protocol
