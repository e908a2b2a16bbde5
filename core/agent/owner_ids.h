#pragma once
// The owners that a tree names, as this machine knows them: users and groups by their numbers here. Gives
// entries to them. Any thread.

#include <sys/stat.h>
#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/agent/beneath.h"
#include "core/base/accounts.h"
#include "core/sync/tree.h"

namespace porter::agent {

class OwnerIds {
 public:
  // Throws Error(refused), naming the first entry, when an owner is not known on this machine, or this user
  // may not give it files.
  void expect(const sync::Tree& wanted);

  // Whether the entry is owned as `extra` says, or that says nothing.
  bool has(const struct stat& info, const sync::PackedExtra& extra);
  // Makes it so; false when it is so already. `info` is of the open file, or it is asked for.
  bool give(int fd, const struct stat& info, const sync::PackedExtra& extra, const std::string& subject);
  bool give(const Beneath& tree, std::string_view path, const sync::PackedExtra& extra);

 private:
  struct Ids {
    uid_t user = 0;
    gid_t group = 0;
  };
  // Nothing for one that is not known here.
  std::optional<Ids> ids_of(const sync::Owner& owner);
  void give_to(const std::string& subject, const sync::Owner& owner,
               const std::function<void(const Ids&)>& give_file);
  void expect_one(const sync::PackedExtra& extra, const std::string& path);

  base::Accounts users_{base::Accounts::Kind::users};
  base::Accounts groups_{base::Accounts::Kind::groups};
};

}  // namespace porter::agent
