#include "core/agent/inplace.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "core/agent/attributes.h"
#include "core/agent/failpoint.h"
#include "core/agent/owner_ids.h"
#include "core/agent/stage_parts.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/sync/extra_reader.h"

namespace porter::agent {

using base::Code;
using base::Error;

namespace {

constexpr std::size_t kListLimit = std::size_t{1} << 30U;

std::string staged(const std::string& id, const Operation& op) {
  return (op.again ? ".porter/undo/" + id + "/again/" : ".porter/staging/" + id + "/") + op.slot;
}

std::string kept(const std::string& id, const std::string& slot) {
  return ".porter/undo/" + id + "/" + slot;
}

std::string list_path(const std::string& id) {
  return "undo/" + id + "/operations";
}

// --- the list as lines -------------------------------------------------------------------------------------

constexpr std::string_view kNames[] = {"open-folder", "remove", "remove-folder", "clear-folder",
                                       "folder",      "put",    "meta"};

Record to_record(const Operation& op) {
  Record record;
  record.set("op", kNames[static_cast<std::size_t>(op.what)]).set("path", op.path).set("slot", op.slot);
  record.set("inode", std::to_string(op.inode)).set("existed", op.existed ? "1" : "0");
  if (op.again) record.set("again", "1");
  record.set("mode", std::to_string(op.mode)).set("mtime", std::to_string(op.mtime_ns));
  record.set("timed", op.timed ? "1" : "0");
  record.set("old-mode", std::to_string(op.old_mode)).set("old-mtime", std::to_string(op.old_mtime_ns));
  if (op.keeps.any()) record.set("keeps", std::to_string(op.keeps.to_byte()));
  if (!op.extra.empty()) record.set("extra", op.extra.bytes());
  if (!op.old_extra.empty()) record.set("old-extra", op.old_extra.bytes());
  return record;
}

Operation to_operation(const Record& record, const std::string& subject) {
  const auto number = [&](std::string_view name) {
    const std::optional<std::int64_t> value = base::parse_integer(record.get(name));
    if (!value) throw Error(Code::io, subject + ": is damaged");
    return *value;
  };
  Operation op;
  const auto* name = std::find(std::begin(kNames), std::end(kNames), record.get("op"));
  if (name == std::end(kNames)) throw Error(Code::io, subject + ": is damaged");
  op.what = static_cast<Operate>(name - std::begin(kNames));
  op.path = record.get("path");
  op.slot = record.get("slot");
  op.again = record.get("again") == "1";
  op.inode = static_cast<std::uint64_t>(number("inode"));
  op.existed = number("existed") != 0;
  op.mode = static_cast<std::uint32_t>(number("mode"));
  op.mtime_ns = number("mtime");
  op.timed = number("timed") != 0;
  op.old_mode = static_cast<std::uint32_t>(number("old-mode"));
  op.old_mtime_ns = number("old-mtime");
  if (!record.get("keeps").empty())
    op.keeps = sync::Keeps::from_byte(static_cast<std::uint64_t>(number("keeps"))).value_or(sync::Keeps{});
  op.extra = sync::PackedExtra::of_bytes(record.get("extra"));
  op.old_extra = sync::PackedExtra::of_bytes(record.get("old-extra"));
  return op;
}

// --- doing -------------------------------------------------------------------------------------------------

void remove_folder(const SiteFolders& site, const Operation& op) {
  const bool gone = site.root.remove_folder(op.path);
  if (!gone && op.what == Operate::clear_folder)
    throw Error(
        Code::refused,
        fmt::format("{}: a file is wanted here, and the folder holds files that porter did not put there",
                    site.root.label(op.path)))
        .hint("move them away, or rename the file");
  if (!gone) site.root.set_mode(op.path, op.old_mode & 07777U);
}

// Before its mode, which is changed here where its owner could not write.
void set_extra(const SiteFolders& site, const std::string& path, sync::Keeps keeps,
               const sync::PackedExtra& extra, OwnerIds& owners) {
  if (!keeps.any()) return;
  owners.give(site.root, path, extra);
  if (!keeps.attributes) return;
  std::optional<bool> same;
  site.root.at(path, [&](const base::AttributesAt& at) { same = has_attributes(at, extra); });
  if (same.value_or(false)) return;
  site.root.set_mode(path, 0700);  // to be opened
  set_attributes(site.root.folder(path).descriptor(), extra, site.root.label(path));
}

void apply(const SiteFolders& site, const std::string& id, const Operation& op, OwnerIds& owners) {
  switch (op.what) {
    case Operate::open_folder:
      site.root.set_mode(op.path, op.mode);
      break;
    case Operate::remove:
      site.root.rename(op.path, kept(id, op.slot));
      break;
    case Operate::remove_folder:
    case Operate::clear_folder:
      remove_folder(site, op);
      break;
    case Operate::folder:
      site.root.make_folder(op.path, 0700);
      break;
    case Operate::put:
      if (op.existed) site.root.keep_copy(op.path, kept(id, op.slot));
      reach("inplace: old kept");
      site.root.rename(staged(id, op), op.path);
      break;
    case Operate::meta:
      set_extra(site, op.path, op.keeps, op.extra, owners);
      if (op.timed) site.root.set_mtime(op.path, op.mtime_ns);
      site.root.set_mode(op.path, op.mode);
      break;
  }
}

// What came to a name since, and is of another kind than what stood there, is not ours to remove: it stays
// beside, as <path>.porter-<id>.
void move_aside(const SiteFolders& site, const std::string& id, const std::string& path) {
  constexpr std::size_t kLongestName = 200;  // of what is kept of it: with the id it is still a name
  const std::size_t name = path.rfind('/') + 1;
  const std::string beside = path.substr(0, name + kLongestName) + ".porter-" + id.substr(0, 40);
  std::string free = beside;
  for (int number = 2; site.root.exists(free); ++number)
    free = fmt::format("{}-{}", beside, number);
  site.root.rename(path, free);
  reach("inplace: moved aside");
}

void make_way(const SiteFolders& site, const std::string& id, const std::string& path, bool for_folder) {
  const std::optional<struct stat> now = look_if_reachable(site, path);
  if (now && S_ISDIR(now->st_mode) != for_folder) move_aside(site, id, path);
}

void bring_back(const SiteFolders& site, const std::string& id, const Operation& op) {
  if (!site.root.exists(kept(id, op.slot))) return;
  make_way(site, id, op.path, false);
  site.root.rename(kept(id, op.slot), op.path);
}

void undo_put(const SiteFolders& site, const std::string& id, const Operation& op) {
  if (op.existed) return bring_back(site, id, op);
  const std::optional<struct stat> now = look_if_reachable(site, op.path);
  // Undoing that was interrupted may have made a folder here again, with the inode that had become free.
  if (now && !S_ISDIR(now->st_mode) && now->st_ino == op.inode) site.root.remove_file(op.path);
}

void undo(const SiteFolders& site, const std::string& id, const Operation& op) {
  switch (op.what) {
    case Operate::remove:
      bring_back(site, id, op);
      break;
    case Operate::remove_folder:
    case Operate::clear_folder:
      make_way(site, id, op.path, true);
      site.root.make_folders(op.path, 0700);
      break;
    case Operate::folder:
      if (look_if_reachable(site, op.path)) site.root.remove_folder(op.path);
      break;
    case Operate::put:
      undo_put(site, id, op);
      break;
    case Operate::open_folder:
    case Operate::meta:
      break;  // open_all before, undo_metas when nothing below changes any more
  }
}

// Folders whose owner may not write to them get their modes back in the end.
void open_all(const SiteFolders& site, const std::vector<Operation>& operations) {
  std::set<std::string> folders;
  for (const Operation& op : operations) {
    if (op.what == Operate::open_folder || op.what == Operate::meta) folders.insert(op.path);
  }
  for (const std::string& path : folders) {
    const std::optional<struct stat> now = look_if_reachable(site, path);
    if (now && S_ISDIR(now->st_mode) && (now->st_mode & 0700U) != 0700U)
      site.root.set_mode(path, (now->st_mode & 07777U) | 0700U);
  }
}

void undo_metas(const SiteFolders& site, const std::vector<Operation>& operations) {
  std::vector<const Operation*> folders;
  for (const Operation& op : operations) {
    const bool folder = op.what == Operate::open_folder || op.what == Operate::meta ||
                        op.what == Operate::remove_folder || op.what == Operate::clear_folder;
    // A folder that the switch made has no old mode.
    if (folder && op.old_mode != 0) folders.push_back(&op);
  }
  std::sort(folders.begin(), folders.end(), [](const auto* a, const auto* b) { return a->path > b->path; });
  OwnerIds owners;
  for (const Operation* op : folders) {
    const std::optional<struct stat> now = look_if_reachable(site, op->path);
    if (!now || !S_ISDIR(now->st_mode)) continue;
    set_extra(site, op->path, op->keeps, op->old_extra, owners);
    site.root.set_mtime(op->path, op->old_mtime_ns);
    site.root.set_mode(op->path, op->old_mode & 07777U);
  }
}

void sync_changed(const SiteFolders& site, const std::vector<Operation>& operations) {
  if (!site.durable()) return;
  std::set<std::string> folders = {""};
  for (const Operation& op : operations) {
    const std::size_t slash = op.path.rfind('/');
    folders.insert(slash == std::string::npos ? "" : op.path.substr(0, slash));
  }
  if (!is_sooner_singly(folders.size())) return site.root.sync_file_system();
  for (const std::string& path : folders) {
    const std::optional<struct stat> now = look_if_reachable(site, path);
    if (now && S_ISDIR(now->st_mode)) site.root.sync_folder(path);
  }
}

}  // namespace

void write_operations(const SiteFolders& site, const std::string& id,
                      const std::vector<Operation>& operations) {
  std::string text;
  for (const Operation& op : operations)
    text += to_record(op).line() + "\n";
  site.porter.make_folders("undo/" + id, 0700);
  reach("inplace: undo folder made");
  site.porter.write_small(list_path(id), text, site.durable());
  if (site.durable()) site.porter.sync_folder("undo");
  reach("inplace: list written");
}

void Operation::note_old(const SiteFolders& site, const struct stat& now, sync::Keeps kept) {
  keeps = kept;
  old_mode = now.st_mode;
  old_mtime_ns = agent::mtime_ns(now);
  if (!kept.any()) return;
  if (kept.owners != sync::Owners::none) kept.owners = sync::Owners::numbers;
  site.root.at(path, [&](const base::AttributesAt& at) {
    old_extra = sync::ExtraReader(kept).read(now, at, site.root.label(sync::parent_path(path)));
  });
}

bool has_operations(const SiteFolders& site, const std::string& id) {
  return site.porter.exists(list_path(id));
}

std::vector<Operation> read_operations(const SiteFolders& site, const std::string& id) {
  std::vector<Operation> operations;
  const std::optional<std::string> text = site.porter.read_small(list_path(id), kListLimit);
  if (!text) return operations;
  const std::string subject = site.porter.label(list_path(id));
  for (const std::string& line : base::split(*text, '\n')) {
    if (line.empty()) continue;
    const std::optional<Record> record = Record::parse(line);
    if (!record) throw Error(Code::io, subject + ": is damaged");
    operations.push_back(to_operation(*record, subject));
  }
  return operations;
}

void apply_switch(const SiteFolders& site, const std::string& id, const std::vector<Operation>& operations) {
  OwnerIds owners;
  for (const Operation& op : operations) {
    reach("inplace: before operation");
    apply(site, id, op, owners);
  }
  reach("inplace: applied");
  sync_changed(site, operations);
}

void undo_switch(const SiteFolders& site, const std::string& id) {
  const std::vector<Operation> operations = read_operations(site, id);
  open_all(site, operations);
  for (auto op = operations.rbegin(); op != operations.rend(); ++op) {
    reach("inplace: before undoing");
    undo(site, id, *op);
  }
  undo_metas(site, operations);
  reach("inplace: undone");
  sync_changed(site, operations);
}

}  // namespace porter::agent
