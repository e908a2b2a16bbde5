#pragma once
// Reads from disk what a tree keeps of an entry beside content, mode and time. Used on both ends. Any thread.

#include <sys/stat.h>

#include <map>
#include <mutex>
#include <utility>

#include "core/base/accounts.h"
#include "core/sync/extra.h"

namespace porter::sync {

class ExtraReader {
 public:
  explicit ExtraReader(Keeps keeps) : keeps_(keeps) {}

  Keeps keeps() const { return keeps_; }
  // Of the entry that `info` is of.
  PackedExtra read(const struct stat& info);

 private:
  Account account_of(base::Accounts& accounts, std::uint32_t id) const;
  Owner owner_of(const struct stat& info);

  const Keeps keeps_;
  base::Accounts users_{base::Accounts::Kind::users};
  base::Accounts groups_{base::Accounts::Kind::groups};
  std::mutex mutex_;
  std::map<std::pair<uid_t, gid_t>, PackedExtra> owners_;
};

}  // namespace porter::sync
