#pragma once
// A tree of files as a value: what the operator's side wants on a target, what a release on the target holds,
// what a seal says. Folders carry a digest over everything below them, so that two trees are compared from
// the root down and equal branches cost one comparison (the shape of Merkle trees, as git's tree objects have
// it). Plain values, no threads inside. Names and link targets are bytes: any byte but NUL, and '/' only in
// targets.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/digest.h"

namespace porter::sync {

enum class Kind : std::uint8_t { folder = 1, file = 2, link = 3 };

// Whether modification times are part of identity: they are for plain folders, and not for sources whose
// clones give files the time of their making (git, archives).
enum class Identity : std::uint8_t { with_mtime = 1, content_only = 2 };

// How the target's file system saw a file when it was sealed; all equal means: not touched since.
struct Stamp {
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;
  friend bool operator==(const Stamp&, const Stamp&) = default;
};

struct Entry {
  std::string name;
  Kind kind = Kind::file;
  std::uint32_t mode = 0644;  // permission bits, 07777; 0777 for links
  std::int64_t mtime_ns = 0;  // since the epoch; files and folders
  std::uint64_t size = 0;     // files only
  base::Digest digest{};      // content of a file, everything below a folder; zero for links
  std::string target;         // links only
  Stamp stamp;                // seals only; never part of identity
};

// One folder with its own entries, sorted by name as bytes, no name twice.
struct Folder {
  std::string path;  // relative to the root, "" for the root itself; no leading or trailing '/'
  std::uint32_t mode = 0755;
  std::int64_t mtime_ns = 0;
  base::Digest digest{};
  std::vector<Entry> entries;
};

// Folders parents first, in the byte order of their paths' components; [0] is the root. Every entry of kind
// folder has a Folder of its own.
struct Tree {
  Identity identity = Identity::content_only;
  std::vector<Folder> folders;

  // Computes every folder's digest from the leaves up and copies it into its parent's entry. Call after
  // building.
  void seal_digests();
  const base::Digest& root_digest() const { return folders.front().digest; }

  const Folder* find_folder(std::string_view path) const;
  const Entry* find(std::string_view path) const;
  std::uint64_t file_count() const;
  std::uint64_t byte_count() const;
};

// Throws Error(protocol) unless `tree` is canonical: sorted, unique, names without '/', NUL, "." and "..", at
// most 255 bytes a name and 4095 a path, at most 128 folders deep. Everything received from a peer goes
// through it.
void check_canonical(const Tree& tree);

}  // namespace porter::sync
