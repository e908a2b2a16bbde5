#pragma once
// A tree of files as a value: what the operator's side wants on a target, what a release on the target holds,
// what a seal says. Folders carry a digest over everything below them, so that two trees are compared from
// the root down and equal branches cost one comparison (the shape of Merkle trees, as git's tree objects have
// it). Plain values, no threads inside. Names and link targets are bytes: any byte but NUL, and '/' only in
// targets.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/digest.h"
#include "core/base/small_text.h"
#include "core/sync/extra.h"

namespace porter::sync {

enum class Kind : std::uint8_t {
  folder = 1,
  file = 2,
  link = 3,       // symbolic
  hard_link = 5,  // a further name of a file of the tree, which is all that there is to say of it
};

// Whether modification times are part of identity: they are for plain folders, and not for sources whose
// clones give files the time of their making (git, archives).
enum class Identity : std::uint8_t {
  with_file_mtime = 1,  // those of files, not of links; only in seals of tree format 1
  content_only = 2,
  with_mtime = 3,
};

bool is_identity(std::uint8_t number);

// How a file system saw a file when it was read; the same, and the same size: not touched since.
struct Stamp {
  std::uint64_t inode = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;
  friend bool operator==(const Stamp&, const Stamp&) = default;
};

// There are as many as a tree has files, several times over: it is kept small.
struct Entry {
  base::ShortText name;
  base::Digest digest{};      // content of a file, everything below a folder; zero for links of either kind
  std::int64_t mtime_ns = 0;  // since the epoch; 0 for hard links
  std::uint64_t size = 0;     // files only
  Stamp stamp;                // files, in seals and caches only; never part of identity
  base::RareText target;      // links: where they lead; hard links: the file's first path, from the root
  PackedExtra extra;          // what the tree keeps of it; nothing for hard links
  std::uint32_t mode = 0644;  // permission bits, 07777; 0777 for links, 0 for hard links
  Kind kind = Kind::file;
  friend bool operator==(const Entry&, const Entry&) = default;
};

// One folder with its own entries, sorted by name as bytes, no name twice.
struct Folder {
  std::string path;  // relative to the root, "" for the root itself; no leading or trailing '/'
  std::uint32_t mode = 0755;
  std::int64_t mtime_ns = 0;
  base::Digest digest{};
  PackedExtra extra;
  std::vector<Entry> entries;

  // By name; null when there is none.
  const Entry* find(std::string_view name) const;
  // The same, when another version of this folder has the entry at `index`: mostly it is there as well.
  const Entry* find_near(std::size_t index, std::string_view name) const;
  friend bool operator==(const Folder&, const Folder&) = default;
};

// An entry's place: tree.folders[folder].entries[entry].
struct EntryRef {
  std::uint32_t folder = 0;
  std::uint32_t entry = 0;
  friend auto operator<=>(const EntryRef&, const EntryRef&) = default;
};

// Folders parents first, in the byte order of their paths' components (compare_paths); [0] is the root. Every
// entry of kind folder has a Folder of its own with the same mode, mtime, digest and extra.
//
// A *part* of a tree (make_part in compare.h) is the same, except that an entry of kind folder may lack its
// Folder: what is below is then known by its digest only.
struct Tree {
  Identity identity = Identity::content_only;
  Keeps keeps;
  std::vector<Folder> folders;

  // Computes every folder's digest from the leaves up (docs/formats.md, "Tree digest") and copies it, with
  // the folder's mode, mtime and extra, into its parent's entry. Call after building. Folders of which a part
  // says only the digest keep it. Requires folders and entries in order.
  void seal_digests();
  const base::Digest& root_digest() const { return folders.front().digest; }
  // Makes it a tree of the same entries that keeps something else: what it knew of extras is forgotten.
  void keep(Keeps other);

  // By path; null when there is none. The root is a folder, "", and no entry.
  const Folder* find_folder(std::string_view path) const;
  const Entry* find(std::string_view path) const;
  std::optional<std::size_t> folder_index(std::string_view path) const;

  const Entry& at(EntryRef ref) const { return folders[ref.folder].entries[ref.entry]; }
  Entry& at(EntryRef ref) { return folders[ref.folder].entries[ref.entry]; }
  std::string path_of(EntryRef ref) const;
  std::optional<EntryRef> find_ref(std::string_view path) const;
  // For each folder the index of the one it is in; 0 for the root. Throws Error(internal) when that one is
  // not there.
  std::vector<std::uint32_t> parents() const;
  // Of kind file, in the tree's order.
  std::vector<EntryRef> files() const;
  std::uint64_t file_count() const;  // kind file only
  std::uint64_t byte_count() const;  // their sizes
  friend bool operator==(const Tree&, const Tree&) = default;
};

// Below zero, zero, above zero, as by comparing the paths' components one by one as bytes: "a" < "a/b" <
// "a.b".
int compare_paths(std::string_view a, std::string_view b);
// How many bytes both begin with.
std::size_t shared_length(std::string_view a, std::string_view b);
// Whether it is the folder's own path or one below it; everything is below the root.
bool is_at_or_below(std::string_view path, std::string_view folder);
// "a" and "b" → "a/b"; the root's path is "".
std::string join_path(std::string_view folder, std::string_view name);
// "a/b/c" → "a/b" and "c".
std::string_view parent_path(std::string_view path);
std::string_view base_name(std::string_view path);

constexpr std::size_t kMaxName = 255;
constexpr std::size_t kMaxPath = 4095;
constexpr std::size_t kMaxDepth = 128;  // folders on the way from the root to an entry, the root included
constexpr std::size_t kMaxTarget = 4095;

// Why `name` cannot be the name of an entry ("holds a '/'"), or null when it can.
const char* name_fault(std::string_view name);

enum class Completeness : std::uint8_t { whole, part };

// Throws Error(protocol) unless `tree` is canonical: sorted, unique, names without '/', NUL, "." and "..", at
// most 255 bytes a name and 4095 a path, at most 128 folders deep; fields that a kind does not have at their
// defaults; folders and their entries agreeing, and (unless a part) every folder present. Digests are not
// computed again. Everything received from a peer goes through it.
void check_canonical(const Tree& tree, Completeness completeness = Completeness::whole);

}  // namespace porter::sync
