#include "core/sync/tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/base/bytes.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace porter::sync {
namespace {

using base::Code;
using base::Error;

constexpr std::string_view kFolderTag = "porter.folder.1\n";
constexpr std::string_view kFolderTagWithExtras = "porter.folder.2\n";

Error not_canonical(std::string_view path, std::string_view why) {
  return {Code::protocol, fmt::format("tree: \"{}\": {}", base::printable(path), why)};
}

Error no_parent(const Folder& folder) {
  return {Code::internal, fmt::format("tree: \"{}\" has no parent", base::printable(folder.path))};
}

// Whether `path` is what join_path(folder, name) gives.
bool is_joined(std::string_view path, std::string_view folder, std::string_view name) {
  if (folder.empty()) return path == name;
  return path.size() == folder.size() + 1 + name.size() && path[folder.size()] == '/' &&
         path.starts_with(folder) && path.ends_with(name);
}

void write_identity(base::ByteWriter& writer, const Entry& entry, Identity identity, Keeps keeps) {
  writer.u8(static_cast<std::uint8_t>(entry.kind)).text(entry.name);
  switch (entry.kind) {
    case Kind::folder:
      writer.digest(entry.digest);
      break;
    case Kind::link:
      writer.text(entry.target);
      if (identity == Identity::with_mtime) writer.signed_varint(entry.mtime_ns);
      break;
    case Kind::hard_link:
      writer.text(entry.target);
      break;
    case Kind::file:
      writer.varint(entry.mode).varint(entry.size).digest(entry.digest);
      if (identity != Identity::content_only) writer.signed_varint(entry.mtime_ns);
      break;
  }
  const bool alone =
      entry.kind == Kind::file || entry.kind == Kind::link;  // a folder's digest covers its own
  if (alone && keeps.any()) writer.text(entry.extra.bytes());
}

base::Digest digest_of(const Folder& folder, Identity identity, Keeps keeps) {
  base::ByteWriter writer;
  writer.raw(keeps.any() ? kFolderTagWithExtras : kFolderTag).u8(static_cast<std::uint8_t>(identity));
  if (keeps.any()) writer.u8(keeps.to_byte()).text(folder.extra.bytes());
  writer.varint(folder.mode).varint(folder.entries.size());
  for (const Entry& entry : folder.entries)
    write_identity(writer, entry, identity, keeps);
  return base::sha256(writer.data());
}

const char* hard_link_fault(const Entry& entry) {
  if (entry.mode != 0 || entry.mtime_ns != 0 || entry.digest != base::Digest{} || !entry.extra.empty())
    return "a hard link with mode, time, digest or owner";
  if (entry.target.empty() || entry.target.size() > kMaxPath) return "a target of impossible length";
  return nullptr;
}

// Null, or what is wrong with the fields of an entry by itself.
const char* entry_fault(const Entry& entry, Keeps keeps) {
  if (const char* fault = name_fault(entry.name)) return fault;
  if (const char* fault = extra_fault(entry.extra, keeps)) return fault;
  if (entry.mode > 07777U) return "mode beyond 07777";
  if (entry.kind != Kind::file && entry.size != 0) return "a size on what is no file";
  if (entry.kind != Kind::file && entry.stamp != Stamp{}) return "a stamp on what is no file";
  if (entry.kind == Kind::hard_link) return hard_link_fault(entry);
  if (entry.kind != Kind::link) return entry.target.empty() ? nullptr : "a target on what is no link";
  if (entry.mode != 0777U || entry.digest != base::Digest{}) return "a link with mode or digest";
  if (entry.target.empty() || entry.target.size() > kMaxTarget) return "a target of impossible length";
  return entry.target.view().find('\0') == std::string_view::npos ? nullptr : "a target that holds NUL";
}

void check_entries(const Folder& folder, Keeps keeps) {
  const Entry* before = nullptr;
  for (const Entry& entry : folder.entries) {
    const char* fault = entry_fault(entry, keeps);
    if (fault == nullptr && folder.path.size() + 1 + entry.name.size() > kMaxPath) fault = "path too long";
    if (fault == nullptr && before != nullptr && before->name >= entry.name) fault = "out of order";
    if (fault != nullptr) throw not_canonical(join_path(folder.path, entry.name), fault);
    before = &entry;
  }
}

// Each leads to a file that comes before it; one that a part does not show may be any.
void check_hard_links(const Tree& tree, Completeness completeness) {
  for (std::uint32_t folder = 0; folder < tree.folders.size(); ++folder) {
    for (std::uint32_t i = 0; i < tree.folders[folder].entries.size(); ++i) {
      const Entry& entry = tree.folders[folder].entries[i];
      if (entry.kind != Kind::hard_link) continue;
      const std::optional<EntryRef> first = tree.find_ref(entry.target);
      const bool hidden =
          completeness == Completeness::part && tree.find_folder(parent_path(entry.target)) == nullptr;
      if (!first && hidden) continue;
      if (!first || !(*first < EntryRef{folder, i}) || tree.at(*first).kind != Kind::file)
        throw not_canonical(join_path(tree.folders[folder].path, entry.name),
                            "a hard link that leads to no earlier file");
    }
  }
}

// Walks the folder entries in the order in which their Folders must come, and ticks these off.
class OrderCheck {
 public:
  OrderCheck(const Tree& tree, Completeness completeness) : tree_(tree), completeness_(completeness) {}

  // Folder `index` must be the next one that an entry asks for.
  void claim(std::size_t index) {
    const Folder& folder = tree_.folders[index];
    const Entry* entry = next_entry_for(&folder);
    if (entry == nullptr) throw not_canonical(folder.path, "a folder that no entry names here");
    if (entry->mode != folder.mode || entry->mtime_ns != folder.mtime_ns || entry->digest != folder.digest ||
        !(entry->extra == folder.extra))
      throw not_canonical(folder.path, "folder and entry disagree");
  }

  void enter(std::size_t index) {
    stack_.push_back({index, 0});
    if (stack_.size() > kMaxDepth) throw not_canonical(tree_.folders[index].path, "too deep");
  }

  void finish() { next_entry_for(nullptr); }

 private:
  struct Frame {
    std::size_t folder;
    std::size_t next;
  };

  const Entry* next_entry_for(const Folder* wanted) {
    for (; !stack_.empty(); stack_.pop_back()) {
      Frame& frame = stack_.back();
      const Folder& folder = tree_.folders[frame.folder];
      while (frame.next < folder.entries.size()) {
        const Entry& entry = folder.entries[frame.next++];
        if (entry.kind != Kind::folder) continue;
        if (wanted != nullptr && is_joined(wanted->path, folder.path, entry.name)) return &entry;
        if (completeness_ == Completeness::whole)
          throw not_canonical(join_path(folder.path, entry.name), "a folder whose entries are missing");
      }
    }
    return nullptr;
  }

  const Tree& tree_;
  Completeness completeness_;
  std::vector<Frame> stack_;
};

}  // namespace

// Paths of one tree have long beginnings in common, so they are compared by words.
std::size_t shared_length(std::string_view a, std::string_view b) {
  const std::size_t common = std::min(a.size(), b.size());
  std::size_t i = 0;
  for (std::uint64_t left = 0, right = 0; i + sizeof left <= common; i += sizeof left) {
    std::memcpy(&left, a.data() + i, sizeof left);
    std::memcpy(&right, b.data() + i, sizeof right);
    if (left != right) break;
  }
  while (i < common && a[i] == b[i])
    ++i;
  return i;
}

int compare_paths(std::string_view a, std::string_view b) {
  const std::size_t at = shared_length(a, b);
  if (at == a.size() || at == b.size()) return a.size() == b.size() ? 0 : a.size() < b.size() ? -1 : 1;
  if (a[at] == '/') return -1;
  if (b[at] == '/') return 1;
  return static_cast<unsigned char>(a[at]) < static_cast<unsigned char>(b[at]) ? -1 : 1;
}

bool is_at_or_below(std::string_view path, std::string_view folder) {
  if (folder.empty()) return true;
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

std::string join_path(std::string_view folder, std::string_view name) {
  std::string path;
  path.reserve(folder.size() + 1 + name.size());
  path.append(folder);
  if (!folder.empty()) path.push_back('/');
  return path.append(name);
}

std::string_view parent_path(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

const char* name_fault(std::string_view name) {
  if (name.empty()) return "an empty name";
  if (name == "." || name == "..") return "the name is \".\" or \"..\"";
  if (name.size() > kMaxName) return "a name of more than 255 bytes";
  if (name.find('/') != std::string_view::npos) return "the name holds a '/'";
  if (name.find('\0') != std::string_view::npos) return "the name holds NUL";
  return nullptr;
}

bool is_identity(std::uint8_t number) {
  return number >= 1 && number <= static_cast<std::uint8_t>(Identity::with_mtime);
}

const Entry* Folder::find(std::string_view name) const {
  const auto at =
      std::lower_bound(entries.begin(), entries.end(), name,
                       [](const Entry& entry, std::string_view wanted) { return entry.name < wanted; });
  return at != entries.end() && at->name == name ? &*at : nullptr;
}

void Tree::seal_digests() {
  const std::vector<std::uint32_t> parent = parents();
  for (std::size_t i = folders.size(); i-- > 0;) {
    Folder& folder = folders[i];
    folder.digest = digest_of(folder, identity, keeps);
    if (i == 0) break;
    // Parents come first, so the parent's digest is computed after this.
    const Entry* entry = folders[parent[i]].find(base_name(folder.path));
    if (entry == nullptr) throw no_parent(folder);
    auto& own = const_cast<Entry&>(*entry);
    own.mode = folder.mode;
    own.mtime_ns = folder.mtime_ns;
    own.digest = folder.digest;
    own.extra = folder.extra;
  }
}

void Tree::keep(Keeps other) {
  if (other == keeps) return;
  keeps = other;
  for (Folder& folder : folders) {
    folder.extra = {};
    for (Entry& entry : folder.entries)
      entry.extra = {};
  }
}

const Entry* Folder::find_near(std::size_t index, std::string_view name) const {
  return index < entries.size() && entries[index].name == name ? &entries[index] : find(name);
}

std::vector<std::uint32_t> Tree::parents() const {
  std::vector<std::uint32_t> parents(folders.size(), 0);
  std::vector<std::uint32_t> open{0};  // from the root to the folder before
  for (std::uint32_t i = 1; i < folders.size(); ++i) {
    const std::string_view above = parent_path(folders[i].path);
    while (!open.empty() && folders[open.back()].path != above)
      open.pop_back();
    if (open.empty()) throw no_parent(folders[i]);
    parents[i] = open.back();
    open.push_back(i);
  }
  return parents;
}

std::optional<std::size_t> Tree::folder_index(std::string_view path) const {
  const auto at = std::lower_bound(
      folders.begin(), folders.end(), path,
      [](const Folder& folder, std::string_view wanted) { return compare_paths(folder.path, wanted) < 0; });
  if (at == folders.end() || at->path != path) return std::nullopt;
  return static_cast<std::size_t>(at - folders.begin());
}

const Folder* Tree::find_folder(std::string_view path) const {
  const auto index = folder_index(path);
  return index ? &folders[*index] : nullptr;
}

std::string Tree::path_of(EntryRef ref) const {
  return join_path(folders[ref.folder].path, at(ref).name);
}

std::optional<EntryRef> Tree::find_ref(std::string_view path) const {
  const auto folder = folder_index(parent_path(path));
  const Entry* entry = folder ? folders[*folder].find(base_name(path)) : nullptr;
  if (entry == nullptr) return std::nullopt;
  return EntryRef{static_cast<std::uint32_t>(*folder),
                  static_cast<std::uint32_t>(entry - folders[*folder].entries.data())};
}

std::vector<EntryRef> Tree::files() const {
  std::vector<EntryRef> refs;
  for (std::uint32_t folder = 0; folder < folders.size(); ++folder) {
    for (std::uint32_t entry = 0; entry < folders[folder].entries.size(); ++entry) {
      if (folders[folder].entries[entry].kind == Kind::file) refs.push_back({folder, entry});
    }
  }
  return refs;
}

const Entry* Tree::find(std::string_view path) const {
  const Folder* folder = find_folder(parent_path(path));
  return folder == nullptr ? nullptr : folder->find(base_name(path));
}

std::uint64_t Tree::file_count() const {
  std::uint64_t count = 0;
  for (const Folder& folder : folders)
    for (const Entry& entry : folder.entries)
      count += entry.kind == Kind::file ? 1 : 0;
  return count;
}

std::uint64_t Tree::byte_count() const {
  std::uint64_t bytes = 0;
  for (const Folder& folder : folders)
    for (const Entry& entry : folder.entries)
      bytes += entry.size;
  return bytes;
}

void check_canonical(const Tree& tree, Completeness completeness) {
  if (!is_identity(static_cast<std::uint8_t>(tree.identity)))
    throw Error(Code::protocol, "tree: unknown kind of identity");
  if (tree.folders.empty() || !tree.folders.front().path.empty())
    throw Error(Code::protocol, "tree: the root is missing");
  OrderCheck order(tree, completeness);
  for (std::size_t i = 0; i < tree.folders.size(); ++i) {
    const Folder& folder = tree.folders[i];
    if (folder.mode > 07777U) throw not_canonical(folder.path, "mode beyond 07777");
    if (const char* fault = extra_fault(folder.extra, tree.keeps)) throw not_canonical(folder.path, fault);
    check_entries(folder, tree.keeps);
    if (i > 0) order.claim(i);
    order.enter(i);
  }
  order.finish();
  check_hard_links(tree, completeness);
}

}  // namespace porter::sync
