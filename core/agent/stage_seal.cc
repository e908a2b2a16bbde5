// From a finished stage to a release: what is really there, on disk, and the seal.

#include <algorithm>
#include <future>
#include <optional>

#include "core/agent/disk_sync.h"
#include "core/agent/failpoint.h"
#include "core/agent/held_folder.h"
#include "core/agent/outside.h"
#include "core/agent/stage_parts.h"
#include "core/base/error.h"
#include "core/sync/file_digest.h"
#include "core/sync/walk.h"

namespace porter::agent {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kFewFiles = 64;
constexpr std::uint64_t kFewBytes = 1U << 20U;

// The stage as it was finished, with those stamps that prove something.
sync::Tree trusted(const StageParts& parts) {
  sync::Tree known = parts.wanted;
  for (sync::Folder& folder : known.folders) {
    for (sync::Entry& entry : folder.entries) {
      if (entry.stamp.ctime_ns > parts.finished_ns - sync::kClockTick) entry.stamp = {};
    }
  }
  return known;
}

void confirm(StageParts& parts, HeldFolder& held, sync::EntryRef ref) {
  sync::Entry& entry = parts.wanted.at(ref);
  const std::string& folder = parts.wanted.folders[ref.folder].path;
  const std::string shown = parts.tree.label(folder);
  const auto facts = sync::digest_file({held.descriptor(folder), entry.name, shown}, nullptr, {});
  if (!facts || facts->digest != entry.digest)
    throw Error(Code::io,
                sync::join_path(shown, entry.name) + ": somebody changed it while the release was made")
        .hint("let nothing write into releases that are being made");
  entry.stamp = stamp_of(facts->status);
}

// Whoever builds upon this release cannot take it to be on disk.
void note_not_synced(sync::SealHeader& info) {
  const auto at = std::lower_bound(info.notes.begin(), info.notes.end(), kNotSynced,
                                   [](const auto& note, std::string_view name) { return note.first < name; });
  if (at == info.notes.end() || at->first != kNotSynced)
    info.notes.insert(at, {std::string(kNotSynced), "1"});
}

sync::Tree walk_stage(const StageParts& parts) {
  const sync::Tree known = trusted(parts);
  sync::WalkOptions options;
  options.identity = parts.wanted.identity;
  options.keeps = parts.wanted.keeps;
  options.modes = sync::ModePolicy::exact;
  options.special = sync::SpecialFiles::skip;
  options.stamps = sync::Stamps::yes;
  options.known = &known;
  return sync::walk(parts.tree.descriptor(), parts.tree.label(), options);
}

// Written in the last tick: a change right after would have left the same stamp.
struct Young {
  std::vector<sync::EntryRef> files;
  std::uint64_t bytes = 0;
  std::int64_t youngest_ns = 0;
};

Young young_files(const StageParts& parts) {
  Young young;
  for (const sync::EntryRef ref : parts.wanted.files()) {
    const sync::Entry& entry = parts.wanted.at(ref);
    if (entry.stamp.ctime_ns <= parts.finished_ns - sync::kClockTick) continue;
    young.files.push_back(ref);
    young.bytes += entry.size;
    young.youngest_ns = std::max(young.youngest_ns, entry.stamp.ctime_ns);
  }
  return young;
}

// Waits a tick and reads them once more.
void confirm_all(StageParts& parts, const Young& young) {
  sync::await_tick(young.youngest_ns);
  HeldFolder held(parts.tree);
  for (const sync::EntryRef ref : young.files)
    confirm(parts, held, ref);
}

// The stage as it was finished. A few young files get no stamp, so that every later look reads them: that
// takes less than to wait for the clock here.
sync::Tree confirmed(StageParts& parts) {
  const Young young = young_files(parts);
  if (young.files.size() > kFewFiles || young.bytes > kFewBytes) {
    confirm_all(parts, young);
  } else {
    for (const sync::EntryRef ref : young.files)
      parts.wanted.at(ref).stamp = {};
  }
  return std::move(parts.wanted);
}

// What this stage made and changed, folders last. Nothing when it is more than is worth syncing one by one.
std::optional<std::vector<std::string>> changed_paths(const StageParts& parts, const sync::Tree& tree) {
  if (parts.changes.many()) return std::nullopt;
  std::vector<std::string> paths;
  for (const sync::EntryRef ref : parts.changes.files()) {
    paths.push_back(tree.path_of(ref));
  }
  for (auto i = static_cast<std::uint32_t>(tree.folders.size()); i-- > 0;) {
    if (parts.changes.has_folder(i)) paths.push_back(tree.folders[i].path);
  }
  return paths;
}

// Handlers may have written anywhere: all there is.
std::optional<std::vector<std::string>> all_paths(const sync::Tree& tree) {
  std::vector<std::string> paths;
  for (const sync::EntryRef ref : tree.files())
    paths.push_back(tree.path_of(ref));
  for (auto folder = tree.folders.rbegin(); folder != tree.folders.rend(); ++folder)
    paths.push_back(folder->path);
  if (paths.size() > kSyncSingly) return std::nullopt;
  return paths;
}

std::optional<std::vector<std::string>> staged_files(const StageParts& parts) {
  std::vector<std::string> paths;
  for (const FolderEntry& entry : parts.tree.list()) {
    if (entry.kind == EntryKind::file) paths.push_back(entry.name);
  }
  paths.emplace_back();
  if (paths.size() > kSyncSingly) return std::nullopt;
  return paths;
}

void make_durable(const StageParts& parts, const std::optional<std::vector<std::string>>& paths) {
  const bool singly =
      paths && !parts.seeded && is_sooner_singly(paths->size()) && sync_singly(parts.tree, *paths);
  if (!singly) parts.tree.sync_file_system();
  reach("seal: data synced");
  if (parts.inplace()) return;
  parts.site->root.sync_folder("releases");
  parts.site->root.sync_folder();
}

}  // namespace

sync::SealHeader Stage::seal(sync::SealHeader info, Touched touched) {
  StageParts& parts = *parts_;
  const SiteFolders& site = *parts.site;
  parts.write_back.reset();
  // Handlers of an inplace release work on the live tree after activation: what was staged is what is wanted.
  const bool walks = !parts.inplace() && (touched == Touched::maybe || parts.seeded);
  sync::Tree tree = parts.inplace() ? parts.wanted : walks ? walk_stage(parts) : confirmed(parts);
  reach("seal: walked");
  info.release_id = parts.id;
  if (info.run_id.empty()) info.run_id = parts.run_id;
  if (info.made_at_ns == 0) info.made_at_ns = sync::wall_clock_ns();
  info.layout = layout_name(site.layout);
  info.root_digest = tree.root_digest();
  if (!site.durable()) note_not_synced(info);
  sync::Seal seal{info, std::move(tree)};
  // The seal is encoded while the disk is waited for.
  auto durable = std::async(std::launch::async, [&] {
    if (site.durable())
      make_durable(parts, parts.inplace() ? staged_files(parts)
                          : walks         ? all_paths(seal.tree)
                                          : changed_paths(parts, seal.tree));
  });
  const std::string bytes = sync::encode_seal(seal.header, seal.tree);
  durable.get();
  note_sealed(site, parts.id);
  site.write_seal(std::move(seal), bytes);
  return info;
}

}  // namespace porter::agent
