#include "core/sync/extra.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"

namespace porter::sync {
namespace {

using base::ByteReader;
using base::ByteWriter;
using base::Code;
using base::Error;

constexpr std::uint8_t kAttributesBit = 4;
constexpr std::size_t kLeastAttribute = 3;  // bytes: a name of one, no value

void write_account(ByteWriter& writer, const Account& account) {
  if (account.name.empty())
    writer.u8(0).varint(account.id);
  else
    writer.u8(1).text(account.name);
}

Account read_account(ByteReader& reader) {
  Account account;
  const std::uint8_t form = reader.u8();
  if (form > 1) throw reader.error("an account of unknown form");
  if (form == 0) {
    account.id = static_cast<std::uint32_t>(reader.varint_up_to(kMaxAccountId));
    return account;
  }
  account.name = reader.text(kMaxAccountName);
  if (!is_account_name(account.name)) throw reader.error("a name that no account has");
  return account;
}

Attribute read_attribute(ByteReader& reader, const std::vector<Attribute>& before) {
  Attribute attribute;
  attribute.name = reader.text(kMaxAttributeName);
  if (!is_kept_attribute(attribute.name) || attribute.name.find('\0') != std::string::npos)
    throw reader.error("an attribute that is not kept");
  if (!before.empty() && before.back().name >= attribute.name) throw reader.error("attributes out of order");
  attribute.value = reader.text(kMaxAttributeValue);
  return attribute;
}

std::string pack(const Extra& extra) {
  ByteWriter writer;
  writer.u8(extra.owner ? 1 : 0);
  if (extra.owner) {
    write_account(writer, extra.owner->user);
    write_account(writer, extra.owner->group);
  }
  writer.varint(extra.attributes.size());
  for (const Attribute& attribute : extra.attributes)
    writer.text(attribute.name).text(attribute.value);
  return writer.take();
}

std::string to_text(const Account& account) {
  return account.name.empty() ? std::to_string(account.id) : base::printable(account.name);
}

}  // namespace

std::uint8_t Keeps::to_byte() const {
  return static_cast<std::uint8_t>(static_cast<unsigned>(owners) | (attributes ? kAttributesBit : 0U));
}

std::optional<Keeps> Keeps::from_byte(std::uint64_t byte) {
  const std::uint64_t owners = byte & 3U;
  if (byte > 7 || owners > static_cast<std::uint64_t>(Owners::numbers)) return std::nullopt;
  return Keeps{static_cast<Owners>(owners), (byte & kAttributesBit) != 0};
}

std::string to_text(const Owner& owner) {
  return to_text(owner.user) + ":" + to_text(owner.group);
}

bool is_kept_attribute(std::string_view name) {
  return name.starts_with("user.") || name == "security.capability" || name == "system.posix_acl_access" ||
         name == "system.posix_acl_default";
}

bool is_account_name(std::string_view name) {
  const auto bad = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == ':'; };
  return !name.empty() && name.size() <= kMaxAccountName && name.front() != '-' &&
         std::none_of(name.begin(), name.end(), bad);
}

// The bytes, and how many share them.
struct PackedExtra::Shared {
  explicit Shared(std::string_view all) : bytes(all) {}
  const std::string bytes;
  std::atomic<std::size_t> users{1};
};

PackedExtra::PackedExtra(const Extra& extra) {
  if (extra == Extra{}) return;
  const std::string bytes = pack(extra);
  if (bytes.size() > kMaxExtra)
    throw Error(Code::refused, fmt::format("extended attributes of {} together, at most {} are kept",
                                           base::format_bytes(bytes.size()), base::format_bytes(kMaxExtra)));
  shared_ = new Shared(bytes);
}

PackedExtra PackedExtra::of_bytes(std::string_view bytes) {
  return bytes.empty() ? PackedExtra() : PackedExtra(new Shared(bytes));
}

PackedExtra::PackedExtra(const PackedExtra& other) noexcept : shared_(other.shared_) {
  if (!empty()) shared_->users.fetch_add(1, std::memory_order_relaxed);
}

// Whoever is the last one sees what all others did before.
void PackedExtra::release() noexcept {
  if (shared_->users.fetch_sub(1, std::memory_order_acq_rel) == 1) delete shared_;
}

std::string_view PackedExtra::bytes() const {
  return empty() ? std::string_view() : std::string_view(shared_->bytes);
}

Extra PackedExtra::unpack() const {
  Extra extra;
  if (empty()) return extra;
  ByteReader reader(bytes(), "extra");
  const std::uint8_t owned = reader.u8();
  if (owned > 1) throw reader.error("an owner of unknown form");
  if (owned == 1) {
    Account user = read_account(reader);
    extra.owner = Owner{std::move(user), read_account(reader)};
  }
  for (std::size_t left = reader.count(kLeastAttribute); left > 0; --left)
    extra.attributes.push_back(read_attribute(reader, extra.attributes));
  reader.expect_end();
  if (extra == Extra{}) throw reader.error("nothing said at length");
  return extra;
}

PackedExtra ExtraBytes::read(base::ByteReader& reader) {
  const std::string_view bytes = reader.text(kMaxExtra);
  if (bytes != last_.bytes()) last_ = PackedExtra::of_bytes(bytes);
  return last_;
}

Keeps read_keeps(base::ByteReader& reader) {
  const std::optional<Keeps> keeps = Keeps::from_byte(reader.u8());
  if (!keeps || !keeps->any()) throw reader.error("unknown extras");
  return *keeps;
}

const char* extra_fault(const PackedExtra& extra, Keeps keeps) {
  if (extra.empty()) return nullptr;
  if (!keeps.any()) return "an owner or attributes in a tree that keeps none";
  try {
    const Extra all = extra.unpack();
    if (all.owner && keeps.owners == Owners::none) return "an owner in a tree that keeps none";
    if (!all.attributes.empty() && !keeps.attributes) return "attributes in a tree that keeps none";
  } catch (const Error&) {
    return "a malformed owner or attribute";
  }
  return nullptr;
}

}  // namespace porter::sync
