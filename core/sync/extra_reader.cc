#include "core/sync/extra_reader.h"

#include <fcntl.h>

#include <optional>

#include "core/base/clock.h"
#include "core/base/error.h"

namespace porter::sync {
namespace {

using base::Code;
using base::Error;

std::vector<Attribute> read_while_still(const struct stat& info, const base::AttributesAt& at,
                                        const std::string& subject) {
  std::vector<Attribute> attributes = read_attributes(at, subject);
  struct stat now {};
  if (::fstatat(at.fd, at.name, &now, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0) base::throw_errno(subject);
  if (now.st_ino != info.st_ino || base::nanoseconds(now.st_ctim) != base::nanoseconds(info.st_ctim))
    throw Error(Code::io, subject + ": changed while its attributes were read")
        .hint("wait until nothing writes there, then run the command again");
  return attributes;
}

}  // namespace

std::vector<Attribute> read_attributes(const base::AttributesAt& at, const std::string& subject) {
  std::vector<Attribute> attributes;
  for (std::string& name : base::list_attributes(at, subject)) {
    if (!is_kept_attribute(name)) continue;
    std::optional<std::string> value = base::read_attribute(at, name, subject);
    if (value) attributes.push_back({std::move(name), std::move(*value)});
  }
  return attributes;
}

Account ExtraReader::account_of(base::Accounts& accounts, std::uint32_t id) const {
  const auto name = keeps_.owners == Owners::names ? accounts.name_of(id) : std::nullopt;
  return name && is_account_name(*name) ? Account{*name, 0} : Account{{}, id};
}

Owner ExtraReader::owner_of(const struct stat& info) {
  return {account_of(users_, info.st_uid), account_of(groups_, info.st_gid)};
}

PackedExtra ExtraReader::read_owner(const struct stat& info) {
  if (keeps_.owners == Owners::none) return {};
  const std::lock_guard lock(mutex_);
  PackedExtra& known = owners_[{info.st_uid, info.st_gid}];
  if (known.empty()) known = PackedExtra(Extra{owner_of(info), {}});
  return known;
}

PackedExtra ExtraReader::read(const struct stat& info, const base::AttributesAt& at, const std::string& shown,
                              const PackedExtra* known) {
  PackedExtra owner = read_owner(info);
  // Links and special files have none of those that are kept.
  if (!keeps_.attributes || !(S_ISREG(info.st_mode) || S_ISDIR(info.st_mode))) return owner;
  const std::string subject = *at.name == '\0' ? shown : shown + "/" + at.name;
  Extra extra = owner.unpack();
  extra.attributes = known != nullptr ? known->unpack().attributes : read_while_still(info, at, subject);
  if (extra.attributes.empty()) return owner;
  return base::while_doing("reading " + subject, [&] { return PackedExtra(extra); });
}

}  // namespace porter::sync
