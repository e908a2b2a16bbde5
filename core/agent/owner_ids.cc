#include "core/agent/owner_ids.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "core/base/error.h"
#include "core/base/text.h"

namespace porter::agent {
namespace {

using base::Code;
using base::Error;

constexpr const char* kMayNotHint =
    "only root may give files away: set [module] become = root, or [module] owners = no";

std::optional<std::uint32_t> id_of(base::Accounts& accounts, const sync::Account& account) {
  return account.name.empty() ? account.id : accounts.id_of(account.name);
}

std::vector<gid_t> own_groups() {
  std::vector<gid_t> groups(static_cast<std::size_t>(std::max(0, ::getgroups(0, nullptr))));
  const int count = ::getgroups(static_cast<int>(groups.size()), groups.data());
  groups.resize(static_cast<std::size_t>(std::max(0, count)));
  groups.push_back(::getegid());
  return groups;
}

// As the kernel will see it; what only capabilities or namespaces decide shows when a file is given.
bool may_give(uid_t user, gid_t group) {
  if (::geteuid() == 0) return true;
  const std::vector<gid_t> groups = own_groups();
  return user == ::geteuid() && std::find(groups.begin(), groups.end(), group) != groups.end();
}

Error cannot_give(const std::string& subject, const sync::Owner& owner, const std::string& why) {
  return Error(Code::refused, fmt::format("{}: cannot be given to {}: {}", base::printable(subject),
                                          sync::to_text(owner), why));
}

Error unknown_owner(const std::string& subject, const sync::Owner& owner) {
  return cannot_give(subject, owner, "this host has no such user or no such group")
      .hint("make the account there, or keep numbers: [module] owners = numbers");
}

}  // namespace

std::optional<OwnerIds::Ids> OwnerIds::ids_of(const sync::Owner& owner) {
  const std::optional<std::uint32_t> user = id_of(users_, owner.user);
  const std::optional<std::uint32_t> group = id_of(groups_, owner.group);
  return user && group ? std::optional(Ids{*user, *group}) : std::nullopt;
}

void OwnerIds::expect_one(const sync::PackedExtra& extra, const std::string& path) {
  const std::optional<sync::Owner> owner = extra.unpack().owner;
  if (!owner) return;
  const std::optional<Ids> ids = ids_of(*owner);
  if (!ids) throw unknown_owner(path, *owner);
  if (!may_give(ids->user, ids->group))
    throw cannot_give(path, *owner, fmt::format("we are user {}", ::geteuid())).hint(kMayNotHint);
}

void OwnerIds::expect(const sync::Tree& wanted) {
  if (wanted.keeps.owners == sync::Owners::none) return;
  sync::PackedExtra last;
  const auto look = [&](const sync::PackedExtra& extra, std::string_view folder, std::string_view name) {
    if (extra == last) return;
    expect_one(extra, name.empty() ? std::string(folder) : sync::join_path(folder, name));
    last = extra;
  };
  for (const sync::Folder& folder : wanted.folders) {
    look(folder.extra, folder.path.empty() ? "." : folder.path, "");
    for (const sync::Entry& entry : folder.entries)
      look(entry.extra, folder.path, entry.name);
  }
}

bool OwnerIds::has(const struct stat& info, const sync::PackedExtra& extra) {
  if (extra.empty()) return true;
  const std::optional<sync::Owner> owner = extra.unpack().owner;
  if (!owner) return true;
  const std::optional<Ids> ids = ids_of(*owner);
  return ids && info.st_uid == ids->user && info.st_gid == ids->group;
}

bool OwnerIds::give(int fd, const struct stat& info, const sync::PackedExtra& extra,
                    const std::string& subject) {
  if (has(info, extra)) return false;
  give_to(subject, *extra.unpack().owner, [&](const Ids& ids) {
    if (::fchown(fd, ids.user, ids.group) != 0) throw base::system_error(subject, errno);
  });
  return true;
}

bool OwnerIds::give(const Beneath& tree, std::string_view path, const sync::PackedExtra& extra) {
  if (extra.empty()) return false;
  const std::optional<struct stat> now = tree.look(path);
  if (!now || has(*now, extra)) return false;
  give_to(tree.label(path), *extra.unpack().owner,
          [&](const Ids& ids) { tree.set_owner(path, ids.user, ids.group); });
  return true;
}

void OwnerIds::give_to(const std::string& subject, const sync::Owner& owner,
                       const std::function<void(const Ids&)>& give_file) {
  const std::optional<Ids> ids = ids_of(owner);
  if (!ids) throw unknown_owner(subject, owner);
  try {
    give_file(*ids);
  } catch (Error& error) {
    error.add_trail("giving it to " + sync::to_text(owner));
    throw Error(error).hint(kMayNotHint);
  }
}

}  // namespace porter::agent
