#include "core/agent/stage.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "core/agent/failpoint.h"
#include "core/agent/held_folder.h"
#include "core/agent/inplace.h"
#include "core/agent/stage_parts.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/sync/compose.h"

namespace porter::agent {

using base::Code;
using base::Error;

namespace {

// Moving a folder elsewhere changes its "..", which its owner must be allowed to.
void move_entry(const Beneath& root, const std::string& from, const std::string& to,
                const struct stat& info) {
  const bool closed = S_ISDIR(info.st_mode) && (info.st_mode & 0700U) != 0700U;
  if (closed) root.set_mode(from, (info.st_mode & 07777U) | 0700U);
  root.rename(from, to, Replace::no);
  if (closed) root.set_mode(to, info.st_mode & 07777U);
}

// An empty folder in the place of a spare that was of no use.
void begin_anew(StageParts& parts) {
  const std::string place = parts.place();
  parts.site->remove_tree(place);
  parts.site->root.make_folder(place, 0700);
  parts.tree = parts.site->root.folder(place);
  parts.bases.take_all();
  parts.settled.assign(parts.wanted.folders.size(), 0);
  for (sync::Folder& folder : parts.wanted.folders) {
    for (sync::Entry& entry : folder.entries)
      entry.stamp = {};
  }
}

// Those whose mode and time may not be as wanted.
std::vector<std::uint32_t> unsettled(const StageParts& parts, const std::vector<std::uint32_t>& folders) {
  std::vector<std::uint32_t> left;
  std::copy_if(folders.begin(), folders.end(), std::back_inserter(left),
               [&parts](std::uint32_t i) { return parts.settled[i] == 0 || parts.changes.has_folder(i); });
  return left;
}

// Without the root.
std::vector<std::vector<std::uint32_t>> folders_by_depth(const sync::Tree& tree) {
  std::vector<std::vector<std::uint32_t>> levels;
  for (std::uint32_t i = 1; i < tree.folders.size(); ++i) {
    const std::string& path = tree.folders[i].path;
    const auto depth = static_cast<std::size_t>(std::count(path.begin(), path.end(), '/'));
    if (depth >= levels.size()) levels.resize(depth + 1);
    levels[depth].push_back(i);
  }
  return levels;
}

void make_one_folder(StageParts& parts, HeldFolder& held, std::uint32_t index) {
  const std::string& path = parts.wanted.folders[index].path;
  const Beneath* parent = held.folder(std::string(sync::parent_path(path)));
  if (parent == nullptr) throw base::system_error(parts.tree.label(path), ENOENT);
  // Closed until finish(): what is half built is nobody's business.
  parent->make_folder(sync::base_name(path), 0700);
  parts.changes.add_folder(index);
  reach("stage: folder made");
}

// Where the file itself is, from the site's root: in the stage, or, in place, live when it stays.
std::string first_name_of(const StageParts& parts, sync::EntryRef first) {
  const std::string path = parts.wanted.path_of(first);
  const std::string slot = parts.slot(path);
  return parts.inplace() && !parts.tree.exists(slot) ? path : parts.place(slot);
}

// Whether it is there already: by a spare, or live.
bool has_further_name(const StageParts& parts, const std::string& path, std::uint64_t inode) {
  const std::optional<struct stat> now =
      parts.inplace() ? look_if_reachable(*parts.site, path) : parts.tree.look(path);
  return now && S_ISREG(now->st_mode) && now->st_ino == inode;
}

void make_further_name(StageParts& parts, sync::EntryRef name) {
  const std::string path = parts.wanted.path_of(name);
  const sync::EntryRef file = parts.wanted.find_ref(parts.wanted.at(name).target).value();
  if (has_further_name(parts, path, parts.wanted.at(file).stamp.inode)) return;
  const Beneath& root = parts.site->root;
  const std::string first = first_name_of(parts, file);
  const std::string further = parts.place(parts.slot(path));
  root.remove_file(further);
  root.keep_copy(first, further);
  // To get a name changes the file's ctime.
  parts.wanted.at(file).stamp = stamp_of(*root.look(first));
  parts.changes.add_folder(name.folder);
  reach("stage: further name made");
}

// Whatever was written in the last tick is read once more when the seal is made. For a large file that takes
// longer than the tick.
constexpr std::uint64_t kDearToRead = 16U << 20U;

void await_stamps_of_large_files(const StageParts& parts) {
  std::int64_t youngest = 0;
  for (const sync::EntryRef file : parts.wanted.files()) {
    const sync::Entry& entry = parts.wanted.at(file);
    if (entry.size >= kDearToRead) youngest = std::max(youngest, entry.stamp.ctime_ns);
  }
  sync::await_tick(youngest);
}

// Owner, attributes, mode and time of a folder, where they are not so already. Times that are no part of
// identity are set where something was made, and else stay.
void settle_folder(StageParts& parts, HeldFolder& held, std::uint32_t index) {
  const sync::Folder& folder = parts.wanted.folders[index];
  const int fd = held.descriptor(folder.path);
  struct stat info {};
  if (fd < 0 || ::fstat(fd, &info) != 0)
    throw base::system_error(parts.tree.label(folder.path), fd < 0 ? ENOENT : errno);
  const bool timed = has_mtime(parts.wanted, folder.mtime_ns) &&
                     (parts.wanted.identity == sync::Identity::with_mtime || parts.changes.has_folder(index));
  if (timed && mtime_ns(info) != folder.mtime_ns && !set_mtime(fd, folder.mtime_ns))
    throw base::system_error(parts.tree.label(folder.path), errno);
  const bool changed = parts.settle_extra(fd, info, folder.extra, parts.tree.label(folder.path));
  if ((info.st_mode & 07777U) == folder.mode && !changed) return;
  if (::fchmod(fd, folder.mode) != 0) throw base::system_error(parts.tree.label(folder.path), errno);
  parts.changes.add_folder(index);
}

}  // namespace

std::string slot_name(const sync::Tree& tree, std::string_view path) {
  const std::optional<sync::EntryRef> at = tree.find_ref(path);
  if (!at) throw Error(Code::protocol, fmt::format("{}: is not in the wanted tree", base::printable(path)));
  return slot_name(*at);
}

std::string slot_name(sync::EntryRef ref) {
  return fmt::format("{}.{}", ref.folder, ref.entry);
}

bool has_mtime(const sync::Tree& tree, std::int64_t mtime_ns) {
  return tree.identity == sync::Identity::with_mtime || mtime_ns != 0;
}

void KeptBases::add(sync::EntryRef file) {
  const std::lock_guard lock(mutex_);
  files_.insert(file);
}

bool KeptBases::has(sync::EntryRef file) const {
  const std::lock_guard lock(mutex_);
  return files_.contains(file);
}

std::set<sync::EntryRef> KeptBases::take_all() {
  const std::lock_guard lock(mutex_);
  return std::exchange(files_, {});
}

bool is_link(const StageParts& parts, const Beneath& tree, const std::string& path,
             const sync::Entry& entry) {
  if (tree.link_target(path) != entry.target) return false;
  const bool timed = parts.wanted.identity == sync::Identity::with_mtime;
  if (!timed && entry.extra.empty()) return true;
  const std::optional<struct stat> now = tree.look(path);
  return now && (!timed || mtime_ns(*now) == entry.mtime_ns) && parts.owners.has(*now, entry.extra);
}

void Changes::add(const std::vector<sync::EntryRef>& files) {
  const std::lock_guard lock(mutex_);
  for (const sync::EntryRef& file : files)
    folders_[file.folder] = true;
  if (files_.size() <= kSyncSingly) files_.insert(files_.end(), files.begin(), files.end());
}

void Changes::add_folder(std::uint32_t folder) {
  const std::lock_guard lock(mutex_);
  folders_[folder] = true;
}

bool Changes::many() const {
  const auto folders = static_cast<std::size_t>(std::count(folders_.begin(), folders_.end(), true));
  return many_ || files_.size() + folders > kSyncSingly;
}

std::string StageParts::slot(std::string_view path_in_tree) const {
  return inplace() ? slot_name(wanted, path_in_tree) : std::string(path_in_tree);
}

Stage::Stage(std::unique_ptr<StageParts> parts) : parts_(std::move(parts)) {}
Stage::Stage(Stage&&) noexcept = default;
Stage& Stage::operator=(Stage&&) noexcept = default;
Stage::~Stage() = default;

const std::string& Stage::id() const {
  return parts_->id;
}
const std::string& Stage::path() const {
  return parts_->path;
}
const sync::Tree& Stage::wanted() const {
  return parts_->wanted;
}

void Stage::set_wanted(sync::Tree wanted) {
  sync::check_canonical(wanted);
  if (parts_->inplace() && wanted.find(kPorter) != nullptr)
    throw Error(Code::refused,
                "the tree has an entry \".porter\", which is where an inplace site keeps its own")
        .hint("exclude it: [module] exclude = /.porter");
  for (sync::Folder& folder : wanted.folders) {
    for (sync::Entry& entry : folder.entries)
      entry.stamp = {};
  }
  parts_->wanted_names = sync::HardLinks(wanted);
  if (parts_->base) parts_->base_names = sync::HardLinks(parts_->base->tree);
  parts_->owners.expect(wanted);
  parts_->changes.expect(wanted.folders.size());
  parts_->settled.assign(wanted.folders.size(), 0);
  parts_->wanted = std::move(wanted);
}

bool Stage::has(sync::EntryRef file) const {
  return parts_->wanted.at(file).stamp.inode != 0;
}

bool Stage::fit_spare(const std::vector<sync::EntryRef>& rebuilt) {
  const std::shared_ptr<const sync::Seal> spare = std::exchange(parts_->spare, nullptr);
  if (!spare) return false;
  // What is not kept any more would stay on what stays.
  const bool suits = !spare->tree.keeps.any() || spare->tree.keeps == parts_->wanted.keeps;
  parts_->fitted = suits && agent::fit_spare(*parts_, spare->tree, rebuilt);
  if (!parts_->fitted) begin_anew(*parts_);
  return parts_->fitted;
}

void Stage::drop_bases() {
  for (const sync::EntryRef& ref : parts_->bases.take_all()) {
    parts_->tree.remove_file(parts_->wanted.path_of(ref));
    parts_->changes.add_folder(ref.folder);
  }
}

void Stage::make_folders() {
  if (parts_->inplace() || parts_->fitted) return;
  parts_->changes.add_folder(0);
  for (const std::vector<std::uint32_t>& level : folders_by_depth(parts_->wanted))
    on_folders(parts_->tree, level,
               [this](HeldFolder& held, std::uint32_t i) { make_one_folder(*parts_, held, i); });
}

void Stage::make_hard_links() {
  if (parts_->wanted_names.empty()) return;
  for (std::uint32_t i = 0; i < parts_->wanted.folders.size(); ++i) {
    for (std::uint32_t entry = 0; entry < parts_->wanted.folders[i].entries.size(); ++entry) {
      if (parts_->wanted.folders[i].entries[entry].kind == sync::Kind::hard_link)
        make_further_name(*parts_, {i, entry});
    }
  }
}

void Stage::make_links() {
  StageParts& parts = *parts_;
  for (std::uint32_t i = 0; i < parts.wanted.folders.size(); ++i) {
    for (const sync::Entry& entry : parts.wanted.folders[i].entries) {
      if (entry.kind != sync::Kind::link) continue;
      const std::string path = sync::join_path(parts.wanted.folders[i].path, entry.name);
      // In place what is live is looked at, else what the spare had.
      const Beneath& there = parts.inplace() ? parts.site->root : parts.tree;
      const bool reachable = !parts.inplace() || look_if_reachable(*parts.site, path);
      if (reachable && is_link(parts, there, path, entry)) continue;
      const std::string slot = parts.slot(path);
      parts.tree.make_link(slot, std::string(entry.target));
      parts.owners.give(parts.tree, slot, entry.extra);
      if (has_mtime(parts.wanted, entry.mtime_ns)) parts.tree.set_mtime(slot, entry.mtime_ns);
      parts.changes.add_folder(i);
      reach("stage: link made");
    }
  }
}

void Stage::finish() {
  for (const sync::EntryRef file : parts_->wanted.files()) {
    if (has(file)) continue;
    throw Error(Code::protocol, fmt::format("{}: is wanted and was never sent",
                                            base::printable(parts_->wanted.path_of(file))));
  }
  await_stamps_of_large_files(*parts_);
  parts_->finished_ns = sync::wall_clock_ns();
  if (parts_->inplace()) return;
  // Children first: a folder that may not be entered any more is done with.
  std::vector<std::vector<std::uint32_t>> levels = folders_by_depth(parts_->wanted);
  std::reverse(levels.begin(), levels.end());
  levels.push_back({0});
  for (const std::vector<std::uint32_t>& level : levels)
    on_folders(parts_->tree, unsettled(*parts_, level),
               [this](HeldFolder& held, std::uint32_t i) { settle_folder(*parts_, held, i); });
  reach("stage: finished");
}

void Stage::seed_shared(const std::string& path) {
  check_relative(path);
  if (parts_->inplace()) throw Error(Code::internal, "an inplace site has no shared folder");
  const SiteFolders& site = *parts_->site;
  const std::string staged = parts_->place(path);
  const std::string shared = "shared/" + path;
  const std::optional<struct stat> info = parts_->tree.look(path);
  if (info && !S_ISLNK(info->st_mode)) {
    if (site.root.exists(shared))
      site.remove_tree(staged);
    else
      move_entry(site.root, staged, shared, *info);
    reach("shared: moved");
    parts_->seeded = true;
  }
  if (parts_->tree.exists(path)) return;
  parts_->tree.make_link(path, sync::shared_link_target(path));
  reach("shared: linked");
}

std::uint64_t Stage::deletions() const {
  if (!parts_->base) return 0;
  std::uint64_t count = 0;
  for (const sync::Folder& before : parts_->base->tree.folders) {
    const sync::Folder* now = parts_->wanted.find_folder(before.path);
    if (now != nullptr && now->digest == before.digest) continue;
    for (const sync::Entry& entry : before.entries)
      count +=
          entry.kind != sync::Kind::folder && (now == nullptr || now->find(entry.name) == nullptr) ? 1 : 0;
  }
  return count;
}

}  // namespace porter::agent
