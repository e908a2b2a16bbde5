#pragma once
// Inside of Stage: what its parts share. put_file and FileWriter of several threads each touch one entry of
// `wanted` and nothing else here.

#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/agent/attributes.h"
#include "core/agent/disk_sync.h"
#include "core/agent/held_folder.h"
#include "core/agent/owner_ids.h"
#include "core/agent/site_folders.h"
#include "core/agent/write_back.h"
#include "core/sync/file_digest.h"
#include "core/sync/hard_links.h"

namespace porter::agent {

// Files, and folders whose entries or modes, that this stage made or changed. Any thread may add; the rest is
// for one, when nobody adds any more.
class Changes {
 public:
  void expect(std::size_t folders) { folders_.assign(folders, false); }
  // Files and the folders that they are in.
  void add(const std::vector<sync::EntryRef>& files);
  void add_folder(std::uint32_t folder);
  // What was there before this stage may not be on disk either.
  void add_all() { many_ = true; }

  bool has_folder(std::uint32_t folder) const { return folders_[folder]; }
  // Whether it is so much that it is not worth being counted; files() has not all then.
  bool many() const;
  const std::vector<sync::EntryRef>& files() const { return files_; }

 private:
  std::mutex mutex_;
  std::vector<sync::EntryRef> files_;
  std::vector<bool> folders_;
  bool many_ = false;
};

// Where a tree has a content: made when it is first asked for, since most stages never do. Any thread.
class LiveIndex {
 public:
  // The first path, in the tree's order, of a file with this digest.
  std::optional<sync::EntryRef> find(const sync::Tree& tree, const base::Digest& digest);

 private:
  void make(const sync::Tree& tree);
  std::once_flag made_;
  std::vector<sync::EntryRef> files_;  // by digest
};

// Old versions of files, in the stage at the place of the new ones, where a spare had them. Any thread.
class KeptBases {
 public:
  void add(sync::EntryRef file);
  bool has(sync::EntryRef file) const;
  std::set<sync::EntryRef> take_all();

 private:
  mutable std::mutex mutex_;
  std::set<sync::EntryRef> files_;
};

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
  std::shared_ptr<const sync::Seal> base;
  LiveIndex live_index;  // of base
  sync::HardLinks base_names;
  sync::HardLinks wanted_names;
  mutable OwnerIds owners;  // which remembers what it asked for
  sync::Tree wanted;        // an entry's stamp says that its file is done (a file system has no inode 0)
  // What the tree held when it was taken as a spare; until fit_spare().
  std::shared_ptr<const sync::Seal> spare;
  bool fitted = false;
  KeptBases bases;
  // Folders of a spare that had mode and time as wanted when they were looked at; a byte each, since several
  // threads write.
  std::vector<char> settled;
  Changes changes;
  std::unique_ptr<WriteBack> write_back;  // of a durable site, until the seal
  std::int64_t finished_ns = 0;
  bool seeded = false;

  // Files that are complete. Any thread.
  void made(const std::vector<sync::EntryRef>& files) {
    changes.add(files);
    if (write_back) write_back->wrote(files.size());
  }
  // Whether `file` has the names that it had in the live release.
  bool same_names(const std::string& file) const {
    return sync::HardLinks::same_names(base_names, wanted_names, file);
  }
  // Whether the entry has the attributes of `extra`, or none are kept.
  bool has_attributes(const base::AttributesAt& at, const sync::PackedExtra& extra) const {
    return !wanted.keeps.attributes || agent::has_attributes(at, extra).value_or(false);
  }
  // Gives what is open its owner and attributes. True when something changed: the mode is to be set then.
  bool settle_extra(int fd, const struct stat& info, const sync::PackedExtra& extra,
                    const std::string& subject) const {
    const bool given = owners.give(fd, info, extra, subject);
    return (wanted.keeps.attributes && set_attributes(fd, extra, subject)) || given;
  }
  bool inplace() const { return site->layout == Layout::inplace; }
  // The stage, or what is in it, from the site's root.
  std::string place() const { return (inplace() ? ".porter/staging/" : "releases/") + id; }
  std::string place(const std::string& inside) const { return place() + "/" + inside; }
  // Where the stage keeps the entry while it builds: its path, or a flat name for inplace.
  std::string slot(std::string_view path_in_tree) const;
};

// The flat name of an entry of an inplace stage; both stage and activation find it from the same tree.
std::string slot_name(const sync::Tree& tree, std::string_view path);
std::string slot_name(sync::EntryRef ref);

using sync::stamp_of;
// Whether the tree's times are to be set; content-only trees may have none.
bool has_mtime(const sync::Tree& tree, std::int64_t mtime_ns);

// Whether mode, owner and, where it counts, time of a file (or folder) are as wanted; of attributes see
// StageParts::has_attributes().
bool is_settled(const StageParts& parts, const sync::Entry& entry, const struct stat& info);
bool is_settled(const StageParts& parts, const sync::Folder& folder, const struct stat& info);
// Whether `path` is the wanted link, with its owner, and its time where that counts.
bool is_link(const StageParts& parts, const Beneath& tree, const std::string& path, const sync::Entry& entry);
// Whether a file has the wanted content: told by size, or by a stamp that was never touched since it was
// `known`. Nothing: only reading it can tell.
std::optional<bool> content_by_stamp(const sync::Entry& wanted, const struct stat& info,
                                     const sync::Entry* known);
// Sets the time alone of what is open; false with errno.
bool set_mtime(int fd, std::int64_t mtime_ns);
// Owner, attributes, mode, time and stamp of a file whose content is complete.
void settle_file(StageParts& parts, int fd, sync::EntryRef ref);

// Where a file of the stage is made.
struct Slot {
  const StageParts& parts;
  sync::EntryRef ref;
  int folder;
  std::string name;
  std::string subject() const;
};
Slot slot_of(const StageParts& parts, HeldFolder& stage, sync::EntryRef ref);
// A new file, for reading and writing. What is there is from an earlier try, or a clone that turned out
// wrong.
base::UniqueFd make_file(const Slot& slot, mode_t mode);
// The same for one that is written piece by piece: of its full size, and zeros all over.
base::UniqueFd make_large_file(const Slot& slot);

// A file of the stage that is not complete yet: what there is of it goes with this.
class Unfinished {
 public:
  explicit Unfinished(StageParts& parts, const Slot& slot);
  // A failure leaves it to whoever cleans the unsealed stage up.
  ~Unfinished();
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;

  StageParts& parts() const { return parts_; }
  sync::EntryRef ref() const { return ref_; }
  sync::Entry& entry() const { return parts_.wanted.at(ref_); }
  std::string subject() const { return parts_.tree.label(parts_.wanted.path_of(ref_)); }
  // One that is written elsewhere (interrupted.h) comes to its place.
  void move_in();
  // Its content is the wanted one: it stays.
  void complete();

 private:
  StageParts& parts_;
  sync::EntryRef ref_;
  base::UniqueFd folder_;
  std::string name_;
};

// The name of a seal's note that says that the release was made with Durability::none.
inline constexpr std::string_view kNotSynced = "not_synced";

// A tree that was a spare becomes the wanted one, as far as that is possible without any content: what is not
// wanted, or is not proven to be as wanted, goes; what is gets owner, attributes, mode and time. Folders that
// are missing are made. False when the spare is not what its seal said, so that nothing can be built on it.
bool fit_spare(StageParts& parts, const sync::Tree& spare, const std::vector<sync::EntryRef>& rebuilt);

}  // namespace porter::agent
