#pragma once
// Switching an inplace site from one tree to the next, and back. The change is planned as a list of
// operations that is on disk before the first of them is done; each operation's state can be told from the
// disk alone (the old content has its second name in undo/, the new file has the inode that was planned), so
// a killed switch is undone by walking the list backwards, as often as it takes. Used by Site; one thread.

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/agent/site.h"
#include "core/agent/site_folders.h"
#include "core/sync/ignore.h"

namespace porter::agent {

enum class Operate : std::uint8_t {
  open_folder,    // its owner may write to it while the switch is on; meta closes it again
  remove,         // a file or link of ours that is not wanted: renamed into undo/
  remove_folder,  // only if empty then
  clear_folder,   // the same for a folder in whose place a file is wanted: it must be empty then
  folder,         // made
  put,            // the staged file or link takes the name, the old content gets its second name in undo/
  meta,           // a folder's owner where these are kept, its mode, and its time where times count
};

struct Operation {
  Operate what = Operate::put;
  std::string path;
  std::string slot;         // put: in staging/<id>; put, remove: in undo/<id>
  bool again = false;       // put: the file is in undo/<id>/again instead of staging/<id>
  std::uint64_t inode = 0;  // put: of the staged file
  bool existed = false;     // put: something has the name already
  std::uint32_t mode = 0;   // meta: wanted; open_folder: for the time being
  std::int64_t mtime_ns = 0;
  bool timed = false;          // meta: whether mtime_ns is to be set
  sync::Keeps keeps;           // meta and what removes folders: by the tree
  sync::PackedExtra extra;     // meta: wanted, of what is kept
  std::uint32_t old_mode = 0;  // of folders that were there, with the bits of their kind
  std::int64_t old_mtime_ns = 0;
  sync::PackedExtra old_extra;  // owners by numbers

  // Takes down what the folder is like that is going to change, and what is kept of it.
  void note_old(const SiteFolders& site, const struct stat& now, sync::Keeps kept);
};

// `base` is the tree that is live by its seal, or one with an empty root. Throws Error(refused) where
// something that is not in `base` stands in the way.
std::vector<Operation> plan_switch(const SiteFolders& site, const std::string& id, const sync::Tree& base,
                                   const sync::Tree& wanted, Unknown unknown,
                                   const sync::IgnoreRules& generated);

// Back to the release `id`, which the live one replaced: what it kept of that comes again, down to files that
// no manifest lists. Its list and its kept files stay as they are; files get further names in
// undo/<id>/again.
std::vector<Operation> plan_return(const SiteFolders& site, const std::string& id, const std::string& live);

// For both plans. Opens folders that their owner may not change around `changes`, and closes them with the
// rest of `metas`; `removed` go themselves.
std::vector<Operation> with_folders_open(const SiteFolders& site, std::vector<Operation> changes,
                                         std::vector<Operation> metas, const std::set<std::string>& removed);
// Nothing below what has become a link is ours any more.
std::optional<struct stat> look_if_reachable(const SiteFolders& site, const std::string& path);
[[noreturn]] void refuse_in_the_way(const SiteFolders& site, const std::string& path);
// Deeper paths first: "a/b" is greater than "a".
void sort_deeper_first(std::vector<Operation>& operations);

void write_operations(const SiteFolders& site, const std::string& id,
                      const std::vector<Operation>& operations);
bool has_operations(const SiteFolders& site, const std::string& id);
// Empty when there is no list: then none was begun.
std::vector<Operation> read_operations(const SiteFolders& site, const std::string& id);

void apply_switch(const SiteFolders& site, const std::string& id, const std::vector<Operation>& operations);
void undo_switch(const SiteFolders& site, const std::string& id);

// Gives the seal of `id` the stamps of the live files: of those in `moved`, whose time of change a rename has
// set, when all but that time is as sealed.
void restamp(const SiteFolders& site, const std::string& id, const std::set<std::string>& moved);
std::set<std::string> moved_paths(const std::vector<Operation>& operations);

// Reads the entries that `tree` lists from disk again: changed files get their new content's digest, vanished
// entries leave the tree.
sync::Tree reread(const Beneath& root, const sync::Tree& tree);

}  // namespace porter::agent
