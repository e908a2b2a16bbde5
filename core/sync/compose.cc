#include "core/sync/compose.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/files.h"
#include "core/base/text.h"

namespace porter::sync {
namespace {

using base::Code;
using base::Error;

const std::string kSourceOrigin = "the source";

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
    case Kind::link:
      break;
  }
  return "a link";
}

bool is_below(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
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

std::int64_t mtime_of(const struct stat& status) {
  return static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec;
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
  entry.mtime_ns = mtime_of(status);
  entry.digest = base::sha256_of_descriptor(fd.get());
  const struct stat after = file_status(fd.get(), file);
  if (after.st_size != status.st_size || mtime_of(after) != entry.mtime_ns)
    throw Error(Code::io, fmt::format("{}: changed while it was read", base::printable(file)))
        .hint("wait until nothing writes there, then run the command again");
  return entry;
}

std::string read_part(const std::string& file, const Content::Part& part) {
  const base::UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) base::throw_errno(file);
  std::string bytes(static_cast<std::size_t>(part.size), '\0');
  ssize_t got = 0;
  do
    got = ::pread(fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(part.offset));
  while (got < 0 && errno == EINTR);
  if (got < 0) base::throw_errno(file);
  bytes.resize(static_cast<std::size_t>(got));
  return bytes;
}

}  // namespace

std::string Content::read(std::size_t limit) const {
  if (bytes) return *bytes;
  if (!part) return base::read_file(path, limit);
  if (part->size > limit) throw Error(Code::refused, path + ": holds more than may be read");
  return read_part(path, *part);
}

Content Composed::content_of(std::size_t folder, std::size_t entry) const {
  const std::string path = join_path(tree.folders[folder].path, tree.folders[folder].entries[entry].name);
  const auto overlaid = overlaid_.find(path);
  return overlaid == overlaid_.end() ? Content{root_ + "/" + path, nullptr} : overlaid->second;
}

Composer::Composer(const Tree& walked, std::string root, std::optional<std::int64_t> fixed_mtime_ns)
    : root_(std::move(root)), fixed_mtime_ns_(fixed_mtime_ns), identity_(walked.identity) {
  top_ = walked.folders.front();
  top_.entries.clear();
  newest_mtime_ns_ = top_.mtime_ns;
  for (const Folder& folder : walked.folders)
    for (const Entry& entry : folder.entries) {
      newest_mtime_ns_ = std::max(newest_mtime_ns_, entry.mtime_ns);
      nodes_.emplace(join_path(folder.path, entry.name), Node{entry, Layer::source, &kSourceOrigin});
    }
}

const std::string* Composer::remember(const std::string& origin) {
  if (origins_.empty() || *origins_.back() != origin)
    origins_.push_back(std::make_unique<std::string>(origin));
  return origins_.back().get();
}

void Composer::make_parents(std::string_view path, Layer layer, const std::string* origin) {
  for (std::size_t slash = path.find('/'); slash != std::string_view::npos;
       slash = path.find('/', slash + 1)) {
    const std::string_view folder = path.substr(0, slash);
    const auto found = nodes_.find(folder);
    if (found == nodes_.end()) {
      Entry entry = entry_named(folder, Kind::folder, 0755);
      entry.mtime_ns = newest_mtime_ns_;
      nodes_.emplace(folder, Node{std::move(entry), layer, origin});
    } else if (found->second.entry.kind != Kind::folder) {
      const std::string what = fmt::format("{} cannot be a folder for \"{}\" too",
                                           kind_name(found->second.entry.kind), base::printable(path));
      throw conflict(folder, what, *found->second.origin, *origin);
    }
  }
}

void Composer::place(std::string_view path, Entry entry, Layer layer, const std::string& origin) {
  const std::string* from = remember(origin);
  make_parents(path, layer, from);
  const auto found = nodes_.find(path);
  if (found == nodes_.end()) {
    nodes_.emplace(path, Node{std::move(entry), layer, from});
    return;
  }
  Node& old = found->second;
  const bool folders = old.entry.kind == Kind::folder && entry.kind == Kind::folder;
  if ((old.entry.kind == Kind::folder) != (entry.kind == Kind::folder))
    throw conflict(path, "a folder and something else", *old.origin, origin);
  if (!folders && old.layer >= layer)
    throw conflict(path, old.layer == layer ? "two contents" : "the earlier one counts more", *old.origin,
                   origin);
  old = Node{std::move(entry), layer, from};
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
  entry.digest = base::sha256(*bytes);
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

std::vector<Replaced> Composer::add_link(std::string_view path, std::string_view target, Layer layer,
                                         const std::string& origin) {
  check_path(path, origin);
  if (target.empty() || target.size() > kMaxTarget || target.find('\0') != std::string_view::npos)
    throw Error(Code::bad_value, fmt::format("\"{}\": a link cannot lead to \"{}\" (wanted by {})",
                                             base::printable(path), base::printable(target), origin));
  std::vector<Replaced> replaced;
  const auto old = nodes_.find(path);
  if (layer == Layer::shared && old != nodes_.end()) {
    if (old->second.layer == Layer::shared) throw conflict(path, "shared twice", *old->second.origin, origin);
    replaced = take_away(path);
  }
  Entry entry = entry_named(path, Kind::link, 0777);
  entry.target = target;
  place(path, std::move(entry), layer, origin);
  return replaced;
}

std::vector<Replaced> Composer::take_away(std::string_view path) {
  std::vector<Replaced> taken;
  auto at = nodes_.find(path);
  while (at != nodes_.end() && (at->first == path || is_below(at->first, path))) {
    if (at->second.layer == Layer::shared)
      throw conflict(at->first, "one shared path inside another", *at->second.origin,
                     fmt::format("\"{}\"", path));
    const bool file = at->second.entry.kind == Kind::file;
    taken.push_back({at->first, at->second.entry, file ? content_at(at->first) : Content{}});
    overlaid_.erase(at->first);
    at = nodes_.erase(at);
  }
  return taken;
}

Content Composer::content_at(const std::string& path) const {
  const auto overlaid = overlaid_.find(path);
  return overlaid == overlaid_.end() ? Content{root_ + "/" + path, nullptr} : overlaid->second;
}

Composed Composer::finish() {
  Composed composed;
  composed.root_ = root_;
  composed.overlaid_ = std::move(overlaid_);
  Tree& tree = composed.tree;
  tree.identity = identity_;
  if (fixed_mtime_ns_) top_.mtime_ns = *fixed_mtime_ns_;
  tree.folders.push_back(std::move(top_));
  // The order of nodes_ is that of the tree: folders come when their first mention does, and never move.
  std::vector<std::size_t> open{0};
  while (!nodes_.empty()) {
    auto node = nodes_.extract(nodes_.begin());
    Entry entry = std::move(node.mapped().entry);
    if (fixed_mtime_ns_ && entry.kind != Kind::link) entry.mtime_ns = *fixed_mtime_ns_;
    while (tree.folders[open.back()].path != parent_path(node.key()))
      open.pop_back();
    if (entry.kind == Kind::folder) {
      Folder folder;
      folder.path = node.key();
      folder.mode = entry.mode;
      folder.mtime_ns = entry.mtime_ns;
      tree.folders.push_back(std::move(folder));
    }
    tree.folders[open.back()].entries.push_back(std::move(entry));
    if (tree.folders.size() - 1 > open.back() && tree.folders.back().path == node.key())
      open.push_back(tree.folders.size() - 1);
  }
  tree.seal_digests();
  check_canonical(tree);
  return composed;
}

std::string shared_link_target(std::string_view path) {
  std::string target = "../../";
  for (const char c : path)
    if (c == '/') target += "../";
  return target.append("shared/").append(path);
}

}  // namespace porter::sync
