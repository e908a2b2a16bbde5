#include "core/sync/compose.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/base/clock.h"
#include "core/base/content_digest.h"
#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/files.h"
#include "core/base/text.h"
#include "core/sync/hard_links.h"

namespace porter::sync {
namespace {

using base::Code;
using base::Error;

constexpr std::string_view kSourceOrigin = "the source";

void check_path(std::string_view path, const std::string& origin) {
  std::size_t depth = 0;
  const char* fault = path.size() > kMaxPath ? "the path is too long" : nullptr;
  for (const std::string& name : base::split(path, '/')) {
    if (fault == nullptr) fault = name_fault(name);
    if (fault == nullptr && ++depth >= kMaxDepth) fault = "the path is too deep";
  }
  if (fault != nullptr)
    throw Error(Code::bad_value, fmt::format("\"{}\" is no path inside the module: {} (wanted by {})",
                                             base::printable(path), fault, origin))
        .hint("write it relative to the module's tree, as in etc/app.conf");
}

Error conflict(std::string_view path, std::string_view what, const std::string& first,
               const std::string& second) {
  return {Code::refused,
          fmt::format("\"{}\": {}: wanted by {} and by {}", base::printable(path), what, first, second)};
}

const char* kind_name(Kind kind) {
  switch (kind) {
    case Kind::folder:
      return "a folder";
    case Kind::file:
      return "a file";
    case Kind::hard_link:
      return "a hard link";
    case Kind::link:
      break;
  }
  return "a link";
}

Entry entry_named(std::string_view path, Kind kind, std::uint32_t mode) {
  Entry entry;
  entry.name = base_name(path);
  entry.kind = kind;
  entry.mode = mode;
  return entry;
}

struct stat file_status(int fd, const std::string& file) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) base::throw_errno(file);
  return status;
}

// Size, digest, mode and mtime of a file on the operator's side.
Entry entry_of_file(std::string_view path, const std::string& file, const std::string& origin) {
  const base::UniqueFd fd(::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd && errno == ENOENT)
    throw Error(Code::missing,
                fmt::format("{}: there is no such file (wanted by {})", base::printable(file), origin));
  if (!fd) base::throw_errno(file);
  const struct stat status = file_status(fd.get(), file);
  if (!S_ISREG(status.st_mode))
    throw Error(Code::bad_value, fmt::format("{}: not a file (wanted by {})", base::printable(file), origin));
  Entry entry = entry_named(path, Kind::file, status.st_mode & 0777U);
  entry.size = static_cast<std::uint64_t>(status.st_size);
  entry.mtime_ns = base::nanoseconds(status.st_mtim);
  const auto digest = base::content_digest(fd.get(), entry.size);
  const struct stat after = file_status(fd.get(), file);
  if (!digest || after.st_size != status.st_size || base::nanoseconds(after.st_mtim) != entry.mtime_ns)
    throw Error(Code::io, fmt::format("{}: changed while it was read", base::printable(file)))
        .hint("wait until nothing writes there, then run the command again");
  entry.digest = *digest;
  return entry;
}

}  // namespace

std::string read_part(int fd, const Content::Part& part, const std::string& subject) {
  std::string bytes(static_cast<std::size_t>(part.size), '\0');
  bytes.resize(base::read_at(fd, std::as_writable_bytes(std::span(bytes)), part.offset, subject));
  return bytes;
}

std::string Content::read(std::size_t limit) const {
  if (bytes) return *bytes;
  if (!part) return base::read_file(path, limit);
  if (part->size > limit) throw Error(Code::refused, path + ": holds more than may be read");
  const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) base::throw_errno(path);
  return read_part(fd.get(), *part, path);
}

Content Composed::content_of(EntryRef ref) const {
  if (const Content* other = overlaid(ref)) return *other;
  return {join_path(folder_path(ref.folder), tree.at(ref).name), nullptr};
}

const Content* Composed::overlaid(EntryRef ref) const {
  if (overlaid_.empty()) return nullptr;
  const auto found = overlaid_.find(tree.path_of(ref));
  return found == overlaid_.end() ? nullptr : &found->second;
}

std::string Composed::folder_path(std::size_t folder) const {
  const std::string& path = tree.folders[folder].path;
  return path.empty() ? root_ : root_ + "/" + path;
}

Composer::Composer(Tree walked, std::string root, std::optional<std::int64_t> fixed_mtime_ns)
    : root_(std::move(root)), fixed_mtime_ns_(fixed_mtime_ns), tree_(std::move(walked)) {
  for (const Folder& folder : tree_.folders) {
    newest_mtime_ns_ = std::max(newest_mtime_ns_, folder.mtime_ns);
    for (const Entry& entry : folder.entries)
      newest_mtime_ns_ = std::max(newest_mtime_ns_, entry.mtime_ns);
  }
}

// A folder that is there.
Folder& Composer::folder_at(std::string_view path) {
  return tree_.folders[tree_.folder_index(path).value()];
}

Composer::Origin Composer::origin_of(std::string_view path) const {
  const auto known = origins_.find(path);
  return known == origins_.end() ? Origin{Layer::source, std::string(kSourceOrigin)} : known->second;
}

// What is put into a folder belongs to whom the folder belongs to.
PackedExtra Composer::extra_for(std::string_view path) {
  return folder_at(parent_path(path)).extra.owner_alone();
}

// Where nothing is, in a folder that is there.
void Composer::insert(std::string_view path, Entry entry, const Origin& origin) {
  entry.extra = extra_for(path);
  origins_.insert_or_assign(std::string(path), origin);
  if (entry.kind == Kind::folder) {
    Folder folder;
    folder.path = path;
    folder.mode = entry.mode;
    folder.mtime_ns = entry.mtime_ns;
    folder.extra = entry.extra;
    const auto at = std::lower_bound(
        tree_.folders.begin(), tree_.folders.end(), path,
        [](const Folder& known, std::string_view wanted) { return compare_paths(known.path, wanted) < 0; });
    tree_.folders.insert(at, std::move(folder));
  }
  std::vector<Entry>& row = folder_at(parent_path(path)).entries;
  const auto at =
      std::lower_bound(row.begin(), row.end(), entry.name.view(),
                       [](const Entry& known, std::string_view name) { return known.name < name; });
  row.insert(at, std::move(entry));
}

void Composer::make_parents(std::string_view path, const Origin& origin) {
  for (std::size_t slash = path.find('/'); slash != std::string_view::npos;
       slash = path.find('/', slash + 1)) {
    const std::string_view folder = path.substr(0, slash);
    const Entry* found = tree_.find(folder);
    if (found == nullptr) {
      Entry entry = entry_named(folder, Kind::folder, 0755);
      entry.mtime_ns = newest_mtime_ns_;
      insert(folder, std::move(entry), origin);
    } else if (found->kind != Kind::folder) {
      const std::string what =
          fmt::format("{} cannot be a folder for \"{}\" too", kind_name(found->kind), base::printable(path));
      throw conflict(folder, what, origin_of(folder).text, origin.text);
    }
  }
}

void Composer::place(std::string_view path, Entry entry, Layer layer, const std::string& origin) {
  const Origin from{layer, origin};
  make_parents(path, from);
  const Entry* found = tree_.find(path);
  if (found == nullptr) return insert(path, std::move(entry), from);
  const Origin old = origin_of(path);
  const bool folders = found->kind == Kind::folder && entry.kind == Kind::folder;
  if ((found->kind == Kind::folder) != (entry.kind == Kind::folder))
    throw conflict(path, "a folder and something else", old.text, origin);
  if (!folders && old.layer >= layer)
    throw conflict(path, old.layer == layer ? "two contents" : "the earlier one counts more", old.text,
                   origin);
  if (folders) {
    Folder& folder = folder_at(path);
    // Its access control list would say something else than the new mode.
    if (folder.mode != entry.mode) folder.extra = folder.extra.owner_alone();
    folder.mode = entry.mode;
    folder.mtime_ns = entry.mtime_ns;
  }
  if (!folders) {
    give_up_first_name(tree_, path);
    entry.extra = extra_for(path);
  }
  std::vector<Entry>& row = folder_at(parent_path(path)).entries;
  row[static_cast<std::size_t>(found - row.data())] = std::move(entry);
  origins_.insert_or_assign(std::string(path), from);
  overlaid_.erase(std::string(path));
}

void Composer::add_file(std::string_view path, const std::string& source, Layer layer,
                        const std::string& origin, std::optional<std::uint32_t> mode) {
  check_path(path, origin);
  Entry entry = entry_of_file(path, source, origin);
  if (mode) entry.mode = *mode & 07777U;
  place(path, std::move(entry), layer, origin);
  overlaid_[std::string(path)] = {source, nullptr};
}

void Composer::add_bytes(std::string_view path, std::shared_ptr<const std::string> bytes, std::uint32_t mode,
                         Layer layer, const std::string& origin) {
  check_path(path, origin);
  Entry entry = entry_named(path, Kind::file, mode & 07777U);
  entry.size = bytes->size();
  entry.digest = base::content_digest(*bytes);
  entry.mtime_ns = newest_mtime_ns_;
  place(path, std::move(entry), layer, origin);
  overlaid_[std::string(path)] = {{}, std::move(bytes)};
}

void Composer::add_folder(std::string_view path, std::uint32_t mode, Layer layer, const std::string& origin) {
  check_path(path, origin);
  Entry entry = entry_named(path, Kind::folder, mode & 07777U);
  entry.mtime_ns = newest_mtime_ns_;
  place(path, std::move(entry), layer, origin);
}

bool Composer::add_link(std::string_view path, std::string_view target, Layer layer,
                        const std::string& origin) {
  check_path(path, origin);
  if (target.empty() || target.size() > kMaxTarget || target.find('\0') != std::string_view::npos)
    throw Error(Code::bad_value, fmt::format("\"{}\": a link cannot lead to \"{}\" (wanted by {})",
                                             base::printable(path), base::printable(target), origin));
  const bool gives_way = layer == Layer::shared && tree_.find(path) != nullptr;
  if (gives_way) {
    const Origin old = origin_of(path);
    if (old.layer == Layer::shared) throw conflict(path, "shared twice", old.text, origin);
    take_away(path);
  }
  Entry entry = entry_named(path, Kind::link, 0777);
  entry.target = target;
  entry.mtime_ns = newest_mtime_ns_;
  place(path, std::move(entry), layer, origin);
  return gives_way;
}

// In the tree's order: what inherits a file may be taken away itself.
void Composer::give_up_names_at(std::string_view path) {
  if (HardLinks(tree_).empty()) return;
  for (const Folder& folder : tree_.folders) {
    for (const Entry& entry : folder.entries) {
      const std::string file = join_path(folder.path, entry.name);
      if (entry.kind == Kind::file && is_at_or_below(file, path)) give_up_first_name(tree_, file);
    }
  }
}

// With all below it.
void Composer::take_away(std::string_view path) {
  for (auto at = origins_.lower_bound(path); at != origins_.end() && is_at_or_below(at->first, path);
       at = origins_.erase(at)) {
    if (at->second.layer == Layer::shared)
      throw conflict(at->first, "one shared path inside another", at->second.text,
                     fmt::format("\"{}\"", path));
  }
  give_up_names_at(path);
  std::erase_if(overlaid_, [&](const auto& one) { return is_at_or_below(one.first, path); });
  std::erase_if(tree_.folders, [&](const Folder& folder) { return is_at_or_below(folder.path, path); });
  std::erase_if(folder_at(parent_path(path)).entries,
                [&](const Entry& entry) { return entry.name == base_name(path); });
}

Composed Composer::finish() {
  Composed composed;
  composed.root_ = root_;
  composed.overlaid_ = std::move(overlaid_);
  composed.tree = std::move(tree_);
  if (fixed_mtime_ns_) {
    for (Folder& folder : composed.tree.folders) {
      folder.mtime_ns = *fixed_mtime_ns_;
      for (Entry& entry : folder.entries)
        if (entry.kind != Kind::hard_link) entry.mtime_ns = *fixed_mtime_ns_;
    }
  }
  if (origins_.empty() && !fixed_mtime_ns_) return composed;  // as it was walked
  composed.tree.seal_digests();
  check_canonical(composed.tree);
  return composed;
}

std::string shared_link_target(std::string_view path) {
  std::string target = "../../";
  for (const char c : path)
    if (c == '/') target += "../";
  return target.append("shared/").append(path);
}

}  // namespace porter::sync
