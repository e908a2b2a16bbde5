#pragma once
// Reads from disk what a tree keeps of an entry beside content, mode and time. Used on both ends. Any thread.

#include <sys/stat.h>

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/base/accounts.h"
#include "core/base/attributes.h"
#include "core/sync/extra.h"

namespace porter::sync {

// Those that are kept.
std::vector<Attribute> read_attributes(const base::AttributesAt& at, const std::string& subject);

class ExtraReader {
 public:
  explicit ExtraReader(Keeps keeps) : keeps_(keeps) {}

  Keeps keeps() const { return keeps_; }
  // Of the entry that `info` is of; `shown` is its folder in messages, its own name without one in `at`.
  // Where nothing changed since `known` was read, attributes are taken from there. Throws Error(io), also
  // when the entry changes meanwhile.
  PackedExtra read(const struct stat& info, const base::AttributesAt& at, const std::string& shown,
                   const PackedExtra* known = nullptr);

 private:
  Account account_of(base::Accounts& accounts, std::uint32_t id) const;
  Owner owner_of(const struct stat& info);
  PackedExtra read_owner(const struct stat& info);

  const Keeps keeps_;
  base::Accounts users_{base::Accounts::Kind::users};
  base::Accounts groups_{base::Accounts::Kind::groups};
  std::mutex mutex_;
  std::map<std::pair<uid_t, gid_t>, PackedExtra> owners_;
};

}  // namespace porter::sync
