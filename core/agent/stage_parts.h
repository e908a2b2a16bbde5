#pragma once
// Inside of Stage: what its parts share. put_file and FileWriter of several threads each touch one entry of
// `wanted` and nothing else here.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/agent/site_folders.h"

namespace porter::agent {

struct StageParts {
  StageParts(std::shared_ptr<const SiteFolders> folders, std::string release, std::string run, Beneath built)
      : site(std::move(folders)), id(std::move(release)), run_id(std::move(run)), tree(std::move(built)) {}

  std::shared_ptr<const SiteFolders> site;
  std::string id;
  std::string run_id;
  Take take = Take::automatic;
  std::string path;             // what Stage::path() gives
  Beneath tree;                 // releases: releases/<id>; inplace: .porter/staging/<id>
  std::optional<Beneath> live;  // what files are cloned from
  std::optional<sync::Seal> base;
  sync::Tree wanted;  // an entry's stamp says that its file is done (a file system has no inode 0)
  std::int64_t finished_ns = 0;
  bool seeded = false;

  bool inplace() const { return site->layout == Layout::inplace; }
  // The wanted file; Error(protocol) when there is none.
  sync::Entry& file(std::string_view path_in_tree);
  // Where the stage keeps the entry while it builds: its path, or a flat name for inplace.
  std::string slot(std::string_view path_in_tree) const;
};

// The flat name of an entry of an inplace stage; both stage and activation find it from the same tree.
std::string slot_name(const sync::Tree& tree, std::string_view path);

sync::Stamp stamp_of(const struct stat& info);
// Whether the tree's times are to be set; content-only trees may have none.
bool has_mtime(const sync::Tree& tree, std::int64_t mtime_ns);
std::int64_t now_ns();

// Mode, time and stamp of a file whose content is complete.
void settle_file(const StageParts& parts, int fd, const std::string& subject, sync::Entry& entry);

// Files or folders up to this number are synced one by one, more by one syncfs.
inline constexpr std::size_t kSyncSingly = 2000;

}  // namespace porter::agent
