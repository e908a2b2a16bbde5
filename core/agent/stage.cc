#include "core/agent/stage.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "core/agent/failpoint.h"
#include "core/agent/stage_parts.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/sync/compose.h"

namespace porter::agent {

using base::Code;
using base::Error;

namespace {

struct Position {
  std::size_t folder = 0;
  std::size_t entry = 0;
};

std::optional<Position> locate(const sync::Tree& tree, std::string_view path) {
  const std::size_t slash = path.rfind('/');
  const bool top = slash == std::string_view::npos;
  const sync::Folder* folder = tree.find_folder(top ? std::string_view() : path.substr(0, slash));
  if (folder == nullptr) return std::nullopt;
  const std::string_view name = top ? path : path.substr(slash + 1);
  const auto found = std::lower_bound(folder->entries.begin(), folder->entries.end(), name,
                                      [](const sync::Entry& e, std::string_view n) { return e.name < n; });
  if (found == folder->entries.end() || found->name != name) return std::nullopt;
  return Position{static_cast<std::size_t>(folder - tree.folders.data()),
                  static_cast<std::size_t>(found - folder->entries.begin())};
}

template <class Visit>
void for_each_entry(const sync::Tree& tree, sync::Kind kind, Visit visit) {
  for (const sync::Folder& folder : tree.folders) {
    for (const sync::Entry& entry : folder.entries) {
      if (entry.kind == kind) visit(sync::join_path(folder.path, entry.name), entry);
    }
  }
}

// Moving a folder elsewhere changes its "..", which its owner must be allowed to.
void move_entry(const Beneath& root, const std::string& from, const std::string& to,
                const struct stat& info) {
  const bool closed = S_ISDIR(info.st_mode) && (info.st_mode & 0700U) != 0700U;
  if (closed) root.set_mode(from, (info.st_mode & 07777U) | 0700U);
  root.rename(from, to, Replace::no);
  if (closed) root.set_mode(to, info.st_mode & 07777U);
}

}  // namespace

std::string slot_name(const sync::Tree& tree, std::string_view path) {
  const std::optional<Position> at = locate(tree, path);
  if (!at) throw Error(Code::protocol, fmt::format("{}: is not in the wanted tree", base::printable(path)));
  return fmt::format("{}.{}", at->folder, at->entry);
}

sync::Stamp stamp_of(const struct stat& info) {
  return {info.st_ino, static_cast<std::uint64_t>(info.st_size), mtime_ns(info), ctime_ns(info)};
}

bool has_mtime(const sync::Tree& tree, std::int64_t mtime_ns) {
  return tree.identity == sync::Identity::with_mtime || mtime_ns != 0;
}

std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

sync::Entry& StageParts::file(std::string_view path_in_tree) {
  const std::optional<Position> at = locate(wanted, path_in_tree);
  if (at) {
    sync::Entry& entry = wanted.folders[at->folder].entries[at->entry];
    if (entry.kind == sync::Kind::file) return entry;
  }
  throw Error(Code::protocol,
              fmt::format("{}: is no file of the wanted tree", base::printable(path_in_tree)));
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
  wanted.seal_digests();
  for (sync::Folder& folder : wanted.folders) {
    for (sync::Entry& entry : folder.entries)
      entry.stamp = {};
  }
  parts_->wanted = std::move(wanted);
}

void Stage::make_folders() {
  if (parts_->inplace()) return;
  for (const sync::Folder& folder : parts_->wanted.folders) {
    if (folder.path.empty()) continue;
    // Closed until finish(): what is half built is nobody's business.
    parts_->tree.make_folder(folder.path, 0700);
    reach("stage: folder made");
  }
}

void Stage::make_links() {
  for_each_entry(parts_->wanted, sync::Kind::link, [&](const std::string& path, const sync::Entry& entry) {
    if (parts_->inplace() && parts_->site->root.link_target(path) == entry.target) return;
    parts_->tree.make_link(parts_->slot(path), entry.target);
    reach("stage: link made");
  });
}

void Stage::finish() {
  for_each_entry(parts_->wanted, sync::Kind::file, [&](const std::string& path, const sync::Entry& entry) {
    if (entry.stamp.inode == 0)
      throw Error(Code::protocol, fmt::format("{}: is wanted and was never sent", base::printable(path)));
  });
  parts_->finished_ns = now_ns();
  if (parts_->inplace()) return;
  // Children first: a folder that may not be entered any more is done with, and a parent's time stands.
  const std::vector<sync::Folder>& folders = parts_->wanted.folders;
  for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder) {
    if (has_mtime(parts_->wanted, folder->mtime_ns)) parts_->tree.set_mtime(folder->path, folder->mtime_ns);
    parts_->tree.set_mode(folder->path, folder->mode);
  }
  reach("stage: finished");
}

void Stage::seed_shared(const std::string& path) {
  check_relative(path);
  if (parts_->inplace()) throw Error(Code::internal, "an inplace site has no shared folder");
  const SiteFolders& site = *parts_->site;
  const std::string staged = "releases/" + parts_->id + "/" + path;
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
  for (const sync::Kind kind : {sync::Kind::file, sync::Kind::link}) {
    for_each_entry(parts_->base->tree, kind, [&](const std::string& path, const sync::Entry&) {
      if (parts_->wanted.find(path) == nullptr) ++count;
    });
  }
  return count;
}

}  // namespace porter::agent
