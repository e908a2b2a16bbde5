#pragma once
// What a tree may keep of its entries beside content, mode and time: who owns them, and their extended
// attributes. Most trees keep nothing of it and pay nothing for it (docs/formats.md, "Extras"). Values.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/bytes.h"

namespace porter::sync {

enum class Owners : std::uint8_t {
  none = 0,
  names = 1,    // by name, on whichever machine; by number where an id has no name
  numbers = 2,  // by number alone
};

// What a tree keeps; part of its identity.
struct Keeps {
  Owners owners = Owners::none;
  bool attributes = false;

  bool any() const { return owners != Owners::none || attributes; }
  std::uint8_t to_byte() const;
  // Nothing for a byte that to_byte() never gives.
  static std::optional<Keeps> from_byte(std::uint64_t byte);
  friend bool operator==(const Keeps&, const Keeps&) = default;
};

// A user or a group.
struct Account {
  std::string name;      // "": the number counts
  std::uint32_t id = 0;  // 0 when there is a name
  friend bool operator==(const Account&, const Account&) = default;
};

struct Owner {
  Account user;
  Account group;
  friend bool operator==(const Owner&, const Owner&) = default;
};
// "ada:www", "1001:33".
std::string to_text(const Owner& owner);

struct Attribute {
  std::string name;  // with its namespace: "user.origin"
  std::string value;
  friend bool operator==(const Attribute&, const Attribute&) = default;
};

struct Extra {
  std::optional<Owner> owner;         // nothing: whoever it is
  std::vector<Attribute> attributes;  // by name, no name twice
  friend bool operator==(const Extra&, const Extra&) = default;
};

constexpr std::size_t kMaxAccountName = 255;
constexpr std::uint32_t kMaxAccountId = 0xFFFF'FFFE;  // the last one means "as it is" to the kernel
constexpr std::size_t kMaxAttributeName = 255;
constexpr std::size_t kMaxAttributeValue = 64U << 10U;
constexpr std::size_t kMaxExtra = 256U << 10U;  // packed

// Which attributes are kept: those of users, access control lists and capabilities. Others are the machine's
// own affair (labels of security modules, of overlays, signatures).
bool is_kept_attribute(std::string_view name);

// Whether a user or group of that name can be told: no ':' and control characters, no '-' at its start.
bool is_account_name(std::string_view name);

// An Extra as its canonical bytes, which are compared, hashed and sent; copies share them.
class PackedExtra {
 public:
  PackedExtra() = default;
  // Throws Error(refused) beyond kMaxExtra.
  explicit PackedExtra(const Extra& extra);
  // Takes the bytes as they are: check() them when a peer sent them.
  static PackedExtra of_bytes(std::string_view bytes);

  PackedExtra(const PackedExtra& other) noexcept;
  PackedExtra(PackedExtra&& other) noexcept : shared_(std::exchange(other.shared_, nullptr)) {}
  PackedExtra& operator=(PackedExtra other) noexcept {
    std::swap(shared_, other.shared_);
    return *this;
  }
  ~PackedExtra() {
    if (!empty()) release();
  }

  bool empty() const { return shared_ == nullptr; }
  std::string_view bytes() const;
  // Throws Error(protocol) unless they are canonical.
  Extra unpack() const;
  // Without its attributes.
  PackedExtra owner_alone() const { return empty() ? PackedExtra() : PackedExtra(Extra{unpack().owner, {}}); }
  friend bool operator==(const PackedExtra& a, const PackedExtra& b) {
    return a.shared_ == b.shared_ || a.bytes() == b.bytes();
  }

 private:
  struct Shared;
  explicit PackedExtra(Shared* shared) : shared_(shared) {}
  void release() noexcept;

  Shared* shared_ = nullptr;  // null when there is nothing to say; one pointer, since few entries have any
};

// The extras of entries that follow each other, as `text`; equal neighbours share their bytes.
class ExtraBytes {
 public:
  // Throws Error(protocol) beyond kMaxExtra; whether they are canonical is for extra_fault() to say.
  PackedExtra read(base::ByteReader& reader);

 private:
  PackedExtra last_;
};
// Of a tree that keeps something.
Keeps read_keeps(base::ByteReader& reader);

// Null, or why a tree that keeps `keeps` cannot say this of an entry.
const char* extra_fault(const PackedExtra& extra, Keeps keeps);

}  // namespace porter::sync
