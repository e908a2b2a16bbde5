#include "core/agent/drift.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>

#include "core/agent/attributes.h"
#include "core/agent/held_folder.h"
#include "core/agent/owner_ids.h"
#include "core/agent/stage_parts.h"
#include "core/base/content_digest.h"
#include "core/base/crew.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace porter::agent {
namespace {

using base::Error;
using protocol::DifferenceKind;

constexpr std::size_t kExamples = 20;
constexpr std::size_t kFoldersAtOnce = 32;  // in one piece of work

bool same_kind(sync::Kind kind, mode_t mode) {
  switch (kind) {
    case sync::Kind::folder:
      return S_ISDIR(mode);
    case sync::Kind::link:
      return S_ISLNK(mode);
    case sync::Kind::hard_link:
    case sync::Kind::file:
      break;
  }
  return S_ISREG(mode);
}

bool same_content(const Beneath& folder, const std::string& name, const sync::Entry& entry,
                  const struct stat& now) {
  if (static_cast<std::uint64_t>(now.st_size) != entry.size) return false;
  try {
    const std::optional<base::UniqueFd> fd = folder.try_open_file(name);
    return fd && base::content_digest(fd->get(), entry.size) == entry.digest;
  } catch (const Error&) {
    return false;
  }
}

// Of one folder after the other; several may be at work at once.
class DifferenceFinder {
 public:
  // Without a tree all is missing.
  DifferenceFinder(const Beneath* tree, const sync::Tree& sealed, const sync::IgnoreRules& generated,
                   Hash hash, Unlisted unlisted, OwnerIds& owners, std::vector<protocol::Difference>& found)
      : sealed_(sealed),
        generated_(generated),
        hash_(hash),
        unlisted_(unlisted),
        owners_(owners),
        found_(found) {
    if (tree != nullptr) tree_.emplace(*tree);
  }

  void check(const sync::Folder& folder) {
    const Beneath* held = nullptr;
    try {
      if (tree_) held = tree_->folder(folder.path);
    } catch (const Error&) {
      // A link where a folder was: all below is gone.
    }
    for (const sync::Entry& entry : folder.entries) {
      struct stat now {};
      const bool there = held != nullptr &&
                         ::fstatat(held->descriptor(), entry.name.c_str(), &now, AT_SYMLINK_NOFOLLOW) == 0;
      if (!there)
        note(DifferenceKind::missing, folder, entry, "");
      else if (std::string what = how_changed(*held, std::string(entry.name), described(entry), now);
               !what.empty())
        note(DifferenceKind::changed, folder, entry, std::move(what));
    }
    if (held != nullptr && unlisted_ == Unlisted::tell) tell_unlisted(*held, folder);
  }

 private:
  // What the running application may write is no difference; asked of the few that look like one.
  void note(DifferenceKind kind, const sync::Folder& folder, const sync::Entry& entry, std::string what) {
    std::string path = sync::join_path(folder.path, entry.name);
    if (!generated_.ignores_or_above(path, entry.kind))
      found_.push_back({kind, std::move(path), std::move(what)});
  }

  // A further name of a file has to be what the file is; whether it still is the same one is nobody's
  // concern.
  const sync::Entry& described(const sync::Entry& entry) const {
    return entry.kind == sync::Kind::hard_link ? *sealed_.find(entry.target) : entry;
  }

  // "" when `name` is as `entry` was sealed.
  std::string how_changed(const Beneath& folder, const std::string& name, const sync::Entry& entry,
                          const struct stat& now) const {
    if (!same_kind(entry.kind, now.st_mode)) return "kind";
    std::vector<std::string> what;
    if (entry.kind == sync::Kind::link && folder.link_target(name) != entry.target) what.push_back("target");
    std::vector<std::string> rest = how_described_anew(folder, name, entry, now);
    if (entry.kind == sync::Kind::file && worth_hashing(entry, now, !rest.empty()) &&
        !same_content(folder, name, entry, now))
      what.push_back("content");
    std::move(rest.begin(), rest.end(), std::back_inserter(what));
    return base::join(what, ", ");
  }

  // All but content.
  std::vector<std::string> how_described_anew(const Beneath& folder, const std::string& name,
                                              const sync::Entry& entry, const struct stat& now) const {
    std::vector<std::string> what;
    const std::uint32_t mode = now.st_mode & 07777U;
    if (entry.kind != sync::Kind::link && mode != entry.mode)
      what.push_back(fmt::format("mode {:04o}, was {:04o}", mode, entry.mode));
    if (!owners_.has(now, entry.extra)) what.push_back(other_owner(entry, now));
    if (other_attributes(folder, name, entry, now)) what.emplace_back("attributes");
    return what;
  }

  // A file that was not touched since has those that it was sealed with. What may not be looked at is taken
  // to be right.
  bool other_attributes(const Beneath& folder, const std::string& name, const sync::Entry& entry,
                        const struct stat& now) const {
    if (!sealed_.keeps.attributes || entry.kind == sync::Kind::link) return false;
    const bool untouched =
        entry.kind == sync::Kind::file && hash_ != Hash::every_file && sync::is_untouched(entry, now);
    if (untouched) return false;
    return !has_attributes({folder.descriptor(), name.c_str()}, entry.extra).value_or(true);
  }

  static std::string other_owner(const sync::Entry& entry, const struct stat& now) {
    return fmt::format("owner {}:{}, was {}", now.st_uid, now.st_gid,
                       sync::to_text(entry.extra.unpack().owner.value()));
  }

  bool worth_hashing(const sync::Entry& entry, const struct stat& now, bool changed_already) const {
    if (hash_ == Hash::every_file) return true;
    return !sync::is_untouched(entry, now) && !(hash_ == Hash::in_doubt && changed_already);
  }

  void tell_unlisted(const Beneath& held, const sync::Folder& folder) {
    std::vector<FolderEntry> entries = held.list();
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    for (const FolderEntry& entry : entries) {
      const auto listed =
          std::lower_bound(folder.entries.begin(), folder.entries.end(), entry.name,
                           [](const sync::Entry& e, std::string_view name) { return e.name < name; });
      if (listed != folder.entries.end() && listed->name == std::string_view(entry.name)) continue;
      const bool below = entry.kind == EntryKind::folder;
      const std::string path = sync::join_path(folder.path, entry.name);
      if (generated_.ignores_or_above(path, below ? sync::Kind::folder : sync::Kind::file)) continue;
      found_.push_back({DifferenceKind::added, path + (below ? "/" : ""), ""});
    }
  }

  std::optional<HeldFolder> tree_;
  const sync::Tree& sealed_;
  const sync::IgnoreRules& generated_;
  const Hash hash_;
  const Unlisted unlisted_;
  OwnerIds& owners_;
  std::vector<protocol::Difference>& found_;
};

}  // namespace

void for_each_difference(const Beneath* tree, const sync::Tree& sealed, const sync::IgnoreRules& generated,
                         Hash hash, Unlisted unlisted,
                         const std::function<void(protocol::Difference)>& give) {
  const std::size_t pieces = (sealed.folders.size() + kFoldersAtOnce - 1) / kFoldersAtOnce;
  std::vector<std::vector<protocol::Difference>> found(pieces);
  OwnerIds owners;
  base::on_all_cores(pieces, {}, [&](std::size_t piece) {
    DifferenceFinder finder(tree, sealed, generated, hash, unlisted, owners, found[piece]);
    const std::size_t end = std::min(sealed.folders.size(), (piece + 1) * kFoldersAtOnce);
    for (std::size_t i = piece * kFoldersAtOnce; i < end; ++i)
      finder.check(sealed.folders[i]);
  });
  for (std::vector<protocol::Difference>& some : found) {
    for (protocol::Difference& difference : some)
      give(std::move(difference));
  }
}

Drift find_drift(const Beneath* tree, const sync::Tree& sealed, const sync::IgnoreRules& generated) {
  Drift drift;
  for_each_difference(tree, sealed, generated, Hash::in_doubt, Unlisted::skip,
                      [&](const protocol::Difference& difference) {
                        ++(difference.kind == DifferenceKind::missing ? drift.missing : drift.changed);
                        if (drift.examples.size() < kExamples) drift.examples.push_back(difference.path);
                      });
  return drift;
}

}  // namespace porter::agent
