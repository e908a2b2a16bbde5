// From a finished stage to a release: what is really there, on disk, and the seal.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "core/agent/failpoint.h"
#include "core/agent/outside.h"
#include "core/agent/stage_parts.h"
#include "core/base/error.h"
#include "core/sync/walk.h"

namespace porter::agent {
namespace {

// A file system's clock may tick this slowly: a file changed less than this before the stage was finished may
// have been changed by a handler since, with the same stamp.
constexpr std::int64_t kTick = 20'000'000;

// The stage as it was finished, with those stamps that prove something.
sync::Tree trusted(const StageParts& parts) {
  sync::Tree known = parts.wanted;
  for (sync::Folder& folder : known.folders) {
    for (sync::Entry& entry : folder.entries) {
      if (entry.stamp.ctime_ns > parts.finished_ns - kTick) entry.stamp = {};
    }
  }
  return known;
}

sync::Tree walk_stage(const StageParts& parts) {
  const sync::Tree known = trusted(parts);
  sync::WalkOptions options;
  options.identity = parts.wanted.identity;
  options.modes = sync::ModePolicy::exact;
  options.special = sync::SpecialFiles::skip;
  options.stamps = sync::Stamps::yes;
  options.known = &known;
  return sync::walk(parts.tree.descriptor(), parts.tree.label(), options);
}

// Syncs one by one; false when a file may not be opened, so that the whole file system has to be.
bool sync_singly(const Beneath& tree, const std::vector<std::string>& files) {
  for (const std::string& path : files) {
    const base::UniqueFd fd(open_beneath(tree.descriptor(), path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    if (!fd && errno == EACCES) return false;
    if (!fd || ::fsync(fd.get()) != 0) throw base::system_error(tree.label(path), errno);
  }
  return true;
}

std::vector<std::string> files_and_folders(const sync::Tree& tree) {
  std::vector<std::string> paths;
  for (const sync::Folder& folder : tree.folders) {
    for (const sync::Entry& entry : folder.entries) {
      if (entry.kind == sync::Kind::file) paths.push_back(sync::join_path(folder.path, entry.name));
    }
  }
  for (auto folder = tree.folders.rbegin(); folder != tree.folders.rend(); ++folder)
    paths.push_back(folder->path);
  return paths;
}

std::vector<std::string> staged_files(const StageParts& parts) {
  std::vector<std::string> paths;
  for (const FolderEntry& entry : parts.tree.list()) {
    if (entry.kind == EntryKind::file) paths.push_back(entry.name);
  }
  paths.emplace_back();
  return paths;
}

void make_durable(const StageParts& parts, const sync::Tree& tree) {
  const std::vector<std::string> paths = parts.inplace() ? staged_files(parts) : files_and_folders(tree);
  const bool singly = paths.size() <= kSyncSingly && !parts.seeded && sync_singly(parts.tree, paths);
  if (!singly) parts.tree.sync_file_system();
  reach("seal: data synced");
  if (parts.inplace()) return;
  parts.site->root.sync_folder("releases");
  parts.site->root.sync_folder();
}

}  // namespace

sync::SealHeader Stage::seal(sync::SealHeader info) {
  const SiteFolders& site = *parts_->site;
  // Handlers of an inplace release work on the live tree after activation: what was staged is what is wanted.
  const sync::Tree tree = parts_->inplace() ? parts_->wanted : walk_stage(*parts_);
  reach("seal: walked");
  if (site.durable()) make_durable(*parts_, tree);
  info.release_id = parts_->id;
  if (info.run_id.empty()) info.run_id = parts_->run_id;
  if (info.made_at_ns == 0) info.made_at_ns = now_ns();
  info.layout = layout_name(site.layout);
  info.root_digest = tree.root_digest();
  note_sealed(site, parts_->id);
  site.write_seal(info, tree);
  return info;
}

}  // namespace porter::agent
