// Keeping the seal of an inplace release true to the files that stand in the live tree.
#include <time.h>

#include "core/agent/inplace.h"
#include "core/agent/site_parts.h"
#include "core/agent/stage_parts.h"
#include "core/base/content_digest.h"
#include "core/base/error.h"
#include "core/sync/extra_reader.h"

namespace porter::agent {
namespace {

using sync::Entry;
using sync::Kind;

bool is_name_of(const Beneath& root, std::string_view first, ino_t inode) {
  const std::optional<struct stat> info = root.look(first);
  return info && S_ISREG(info->st_mode) && info->st_ino == inode;
}

sync::PackedExtra read_extra(const Beneath& root, const std::string& path, const struct stat& info,
                             sync::ExtraReader& extras) {
  sync::PackedExtra extra;
  root.at(path, [&](const base::AttributesAt& at) {
    extra = extras.read(info, at, root.label(sync::parent_path(path)));
  });
  return extra;
}

// The entry as it is on disk now; nothing when it vanished or became something that a tree cannot hold.
std::optional<Entry> read_entry(const Beneath& root, const std::string& path, const Entry& sealed,
                                sync::ExtraReader& extras) {
  const std::optional<struct stat> info = root.look(path);
  if (!info) return std::nullopt;
  Entry entry = sealed;
  entry.mode = info->st_mode & 07777U;
  entry.mtime_ns = mtime_ns(*info);
  entry.extra = read_extra(root, path, *info, extras);
  if (S_ISDIR(info->st_mode) && sealed.kind == Kind::folder) return entry;
  if (S_ISLNK(info->st_mode)) {
    Entry link;
    link.name = sealed.name;
    link.kind = Kind::link;
    link.mode = 0777;
    link.mtime_ns = entry.mtime_ns;
    link.extra = read_extra(root, path, *info, extras);
    link.target = root.link_target(path).value_or("");
    return link;
  }
  if (!S_ISREG(info->st_mode)) return std::nullopt;
  if (sealed.kind == Kind::hard_link && is_name_of(root, sealed.target, info->st_ino)) return sealed;
  if (sealed.kind == Kind::file && sync::is_untouched(sealed, *info)) return entry;
  entry.kind = Kind::file;
  entry.target.clear();
  entry.size = static_cast<std::uint64_t>(info->st_size);
  const std::optional<base::Digest> digest = base::content_digest(root.open_file(path).get(), entry.size);
  entry.digest = digest.value_or(base::Digest{});  // cut short meanwhile: is seen as changed
  entry.stamp = stamp_of(*info);
  return entry;
}

}  // namespace

void restamp(const SiteFolders& site, const std::string& id, const std::set<std::string>& moved) {
  const std::shared_ptr<const sync::Seal> found = site.seal(id);
  if (!found) return;
  sync::Seal seal = *found;
  if (!moved.empty()) sync::await_tick(sync::wall_clock_ns());
  for (sync::Folder& folder : seal.tree.folders) {
    for (Entry& entry : folder.entries) {
      if (entry.kind != Kind::file) continue;
      const std::string path = sync::join_path(folder.path, entry.name);
      if (moved.count(path) == 0) continue;
      const std::optional<struct stat> info = site.root.look(path);
      if (!info || !S_ISREG(info->st_mode)) continue;
      const sync::Stamp now = stamp_of(*info);
      const bool same = now.inode == entry.stamp.inode && now.mtime_ns == entry.stamp.mtime_ns &&
                        static_cast<std::uint64_t>(info->st_size) == entry.size;
      if (same) entry.stamp = now;
    }
  }
  // Without its stamps files are read once more, which is no reason to fail.
  if_there_is_room([&] { site.write_seal(seal); });
}

std::set<std::string> moved_paths(const std::vector<Operation>& operations) {
  std::set<std::string> paths;
  for (const Operation& op : operations) {
    if (op.what == Operate::put || op.what == Operate::remove) paths.insert(op.path);
  }
  return paths;
}

sync::Tree reread(const Beneath& root, const sync::Tree& tree) {
  sync::await_tick(sync::wall_clock_ns());
  sync::Tree result;
  result.identity = tree.identity;
  result.keeps = tree.keeps;
  sync::ExtraReader extras(tree.keeps);
  std::set<std::string> folders = {""};
  for (const sync::Folder& folder : tree.folders) {
    if (folders.count(folder.path) == 0) continue;  // vanished with its parent's entry
    sync::Folder copy = folder;
    copy.entries.clear();
    for (const Entry& entry : folder.entries) {
      const std::string path = sync::join_path(folder.path, entry.name);
      std::optional<Entry> now = read_entry(root, path, entry, extras);
      if (!now) continue;
      if (now->kind == Kind::folder) folders.insert(path);
      copy.entries.push_back(std::move(*now));
    }
    result.folders.push_back(std::move(copy));
  }
  for (sync::Folder& folder : result.folders) {
    if (folder.path.empty()) continue;
    const std::optional<struct stat> info = root.look(folder.path);
    if (!info) continue;
    folder.mode = info->st_mode & 07777U;
    folder.mtime_ns = mtime_ns(*info);
    folder.extra = read_extra(root, folder.path, *info, extras);
  }
  result.seal_digests();
  return result;
}

}  // namespace porter::agent
