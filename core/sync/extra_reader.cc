#include "core/sync/extra_reader.h"

namespace porter::sync {

Account ExtraReader::account_of(base::Accounts& accounts, std::uint32_t id) const {
  const auto name = keeps_.owners == Owners::names ? accounts.name_of(id) : std::nullopt;
  return name && is_account_name(*name) ? Account{*name, 0} : Account{{}, id};
}

Owner ExtraReader::owner_of(const struct stat& info) {
  return {account_of(users_, info.st_uid), account_of(groups_, info.st_gid)};
}

PackedExtra ExtraReader::read(const struct stat& info) {
  if (keeps_.owners == Owners::none) return {};
  const std::lock_guard lock(mutex_);
  PackedExtra& known = owners_[{info.st_uid, info.st_gid}];
  if (known.empty()) known = PackedExtra(Extra{owner_of(info), {}});
  return known;
}

}  // namespace porter::sync
