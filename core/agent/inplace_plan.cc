// What has to happen to turn a live inplace tree into the wanted one, and in which order: first what stands
// in the way of another kind of entry, then folders and files, and only then deletions, so that an
// application sees as little missing as can be.
#include <fmt/format.h>

#include <algorithm>

#include "core/agent/inplace.h"
#include "core/agent/stage_parts.h"
#include "core/base/error.h"

namespace porter::agent {
namespace {

using base::Code;
using base::Error;
using sync::Kind;

struct Present {
  std::string path;
  bool folder = false;
};

std::vector<Present> listed_entries(const sync::Tree& tree) {
  std::vector<Present> all;
  for (const sync::Folder& folder : tree.folders) {
    for (const sync::Entry& entry : folder.entries)
      all.push_back({sync::join_path(folder.path, entry.name), entry.kind == Kind::folder});
  }
  return all;
}

// Everything that is there, whoever made it; without .porter.
std::vector<Present> all_entries(const Beneath& root) {
  std::vector<Present> all;
  std::vector<std::string> waiting = {""};
  while (!waiting.empty()) {
    const std::string path = waiting.back();
    waiting.pop_back();
    for (const FolderEntry& entry : root.list(path)) {
      if (path.empty() && entry.name == kPorter) continue;
      const std::string below = sync::join_path(path, entry.name);
      all.push_back({below, entry.kind == EntryKind::folder});
      if (all.back().folder) waiting.push_back(below);
    }
  }
  return all;
}

class Planner {
 public:
  Planner(const SiteFolders& site, std::string id, const sync::Tree& base, const sync::Tree& wanted,
          Unknown unknown, const sync::IgnoreRules& generated)
      : site_(site),
        id_(std::move(id)),
        base_(base),
        wanted_(wanted),
        unknown_(unknown),
        generated_(generated) {}

  std::vector<Operation> plan() {
    removals();
    for (const sync::Folder& folder : wanted_.folders) {
      if (!folder.path.empty()) want_folder(folder);
    }
    for (const sync::Folder& folder : wanted_.folders) {
      for (const sync::Entry& entry : folder.entries) {
        if (entry.kind != Kind::folder) want_file(sync::join_path(folder.path, entry.name));
      }
    }
    std::vector<Operation> changes;
    for (std::vector<Operation>* folders : {&early_folders_, &late_folders_})
      sort_deeper_first(*folders);
    for (std::vector<Operation>* part : {&early_, &early_folders_, &folders_, &puts_, &late_, &late_folders_})
      std::move(part->begin(), part->end(), std::back_inserter(changes));
    return with_folders_open(site_, std::move(changes), std::move(metas_), removed_);
  }

 private:
  void removals() {
    const bool all = unknown_ == Unknown::remove;
    for (const Present& entry : all ? all_entries(site_.root) : listed_entries(base_)) {
      const sync::Entry* wanted = wanted_.find(entry.path);
      if (wanted != nullptr && (wanted->kind == Kind::folder) == entry.folder) continue;
      if (wanted == nullptr &&
          generated_.ignores_or_above(entry.path, entry.folder ? Kind::folder : Kind::file))
        continue;
      const std::optional<struct stat> now = look_if_reachable(site_, entry.path);
      // Another kind than we left there is somebody else's work.
      if (!now || S_ISDIR(now->st_mode) != entry.folder) continue;
      remove(entry, *now, wanted != nullptr || in_the_way(entry.path));
    }
  }

  void remove(const Present& entry, const struct stat& now, bool early) {
    removed_.insert(entry.path);
    Operation op;
    op.path = entry.path;
    if (!entry.folder) {
      op.what = Operate::remove;
      op.slot = fmt::format("r{}", removed_.size());
      (early ? early_ : late_).push_back(std::move(op));
      return;
    }
    op.what = early ? Operate::clear_folder : Operate::remove_folder;
    op.note_old(site_, now, wanted_.keeps);
    (early ? early_folders_ : late_folders_).push_back(std::move(op));
  }

  // Whether a file or link is wanted where a folder above `path` is now.
  bool in_the_way(const std::string& path) const {
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      const sync::Entry* above = wanted_.find(path.substr(0, slash));
      if (above != nullptr && above->kind != Kind::folder) return true;
    }
    return false;
  }

  void want_folder(const sync::Folder& folder) {
    const std::optional<struct stat> now = look(folder.path);
    const bool there = now && S_ISDIR(now->st_mode);
    if (now && !there && removed_.count(folder.path) == 0) refuse_in_the_way(site_, folder.path);
    Operation op;
    op.path = folder.path;
    if (!there) {
      op.what = Operate::folder;
      folders_.push_back(op);
    }
    op.what = Operate::meta;
    op.mode = folder.mode;
    op.mtime_ns = folder.mtime_ns;
    op.timed = wanted_.identity == sync::Identity::with_mtime;
    op.extra = folder.extra;
    op.keeps = wanted_.keeps;
    if (there) op.note_old(site_, *now, wanted_.keeps);
    if (!there || op.timed || op.keeps.any() || (now->st_mode & 07777U) != folder.mode)
      metas_.push_back(std::move(op));
  }

  void want_file(const std::string& path) {
    Operation op;
    op.what = Operate::put;
    op.path = path;
    op.slot = slot_name(wanted_, path);
    const std::optional<struct stat> staged = site_.root.look(".porter/staging/" + id_ + "/" + op.slot);
    if (!staged) return;  // the one that is there stays
    op.inode = staged->st_ino;
    const std::optional<struct stat> now = look(path);
    const bool removed = removed_.count(path) != 0;
    if (now && S_ISDIR(now->st_mode) && !removed) refuse_in_the_way(site_, path);
    op.existed = now && !removed;
    puts_.push_back(std::move(op));
  }

  // Below something that is replaced by a file, nothing of the new tree stands; lstat on the way may meet a
  // file or a link of the old one.
  std::optional<struct stat> look(const std::string& path) const {
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      if (removed_.count(path.substr(0, slash)) != 0) return std::nullopt;
    }
    return site_.root.look(path);
  }

  const SiteFolders& site_;
  std::string id_;
  const sync::Tree& base_;
  const sync::Tree& wanted_;
  Unknown unknown_;
  const sync::IgnoreRules& generated_;
  std::set<std::string> removed_;
  std::vector<Operation> early_, early_folders_, folders_, puts_, late_, late_folders_, metas_;
};

void open_parent(const SiteFolders& site, const std::string& path, const struct stat& now, bool closes,
                 std::vector<Operation>& opens, std::vector<Operation>& metas) {
  Operation op;
  op.what = Operate::open_folder;
  op.path = path;
  op.mode = (now.st_mode & 07777U) | 0700U;
  op.note_old(site, now, {});
  opens.push_back(op);
  const bool closed =
      std::any_of(metas.begin(), metas.end(), [&](const Operation& m) { return m.path == path; });
  if (closed || !closes) return;
  op.what = Operate::meta;
  op.mode = now.st_mode & 07777U;
  metas.push_back(std::move(op));
}

std::set<std::string> parents_of(const std::vector<Operation>& operations) {
  std::set<std::string> parents;
  for (const Operation& op : operations) {
    const std::size_t slash = op.path.rfind('/');
    if (slash != std::string::npos) parents.insert(op.path.substr(0, slash));
  }
  return parents;
}

}  // namespace

void sort_deeper_first(std::vector<Operation>& operations) {
  std::sort(operations.begin(), operations.end(),
            [](const Operation& a, const Operation& b) { return a.path > b.path; });
}

std::vector<Operation> with_folders_open(const SiteFolders& site, std::vector<Operation> changes,
                                         std::vector<Operation> metas, const std::set<std::string>& removed) {
  std::vector<Operation> all;
  for (const std::string& path : parents_of(changes)) {
    const std::optional<struct stat> now = look_if_reachable(site, path);
    if (now && S_ISDIR(now->st_mode) && (now->st_mode & 0700U) != 0700U)
      open_parent(site, path, *now, removed.count(path) == 0, all, metas);
  }
  sort_deeper_first(metas);
  std::move(changes.begin(), changes.end(), std::back_inserter(all));
  std::move(metas.begin(), metas.end(), std::back_inserter(all));
  return all;
}

std::optional<struct stat> look_if_reachable(const SiteFolders& site, const std::string& path) {
  try {
    return site.root.look(path);
  } catch (const Error& error) {
    if (error.code() != Code::refused) throw;
    return std::nullopt;
  }
}

void refuse_in_the_way(const SiteFolders& site, const std::string& path) {
  throw Error(Code::refused,
              fmt::format("{}: stands in the way and was not put there by porter", site.root.label(path)))
      .hint("move it away, or leave this path out of the module");
}

std::vector<Operation> plan_switch(const SiteFolders& site, const std::string& id, const sync::Tree& base,
                                   const sync::Tree& wanted, Unknown unknown,
                                   const sync::IgnoreRules& generated) {
  return Planner(site, id, base, wanted, unknown, generated).plan();
}

}  // namespace porter::agent
