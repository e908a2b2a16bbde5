#pragma once
// Files that have several names in one tree: the first name, in the tree's order, is an entry of kind file,
// each further one an entry of kind hard_link with the first one's path as its target. Values, no threads
// inside.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/sync/tree.h"

namespace porter::sync {

// The entry for a further name of the file whose first path this is.
Entry further_name(std::string_view name, std::string_view first);

// Which file a path was when it was looked at. Several paths with the same number on the same device are one.
struct NamedFile {
  std::string path;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
};

// Turns the further names among `files` (entries of kind file) into hard links. One that does not say the
// same of the file as its first name, since it changed in between, stays a file of its own.
void find_hard_links(Tree& tree, const std::vector<NamedFile>& files);

// The file at `path` is about to be taken away or replaced: the first of its further names, if there is one,
// becomes the file, and the others lead there.
void give_up_first_name(Tree& tree, std::string_view path);

// The groups of names of a tree.
class HardLinks {
 public:
  HardLinks() = default;  // of a tree without any
  explicit HardLinks(const Tree& tree);

  bool empty() const { return groups_.empty(); }
  // Whether the file at this path has just the same names, itself among them, in both trees.
  static bool same_names(const HardLinks& a, const HardLinks& b, const std::string& path);
  // How many names the file at this path has: 1 for most.
  std::size_t count(const std::string& path) const;

 private:
  const std::vector<std::string>* names_of(const std::string& path) const;

  std::vector<std::vector<std::string>> groups_;  // each in the tree's order
  std::unordered_map<std::string, std::size_t> group_of_;
};

}  // namespace porter::sync
