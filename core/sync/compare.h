#pragma once
// How two ends find out what differs without telling each other whole trees: one end sends the digest of each
// of its folders, the other answers with the part of its tree that those digests do not already tell. Equal
// roots need neither. Pure functions; encodings in docs/formats.md ("Folder digests").

#include <string>
#include <string_view>
#include <vector>

#include "core/sync/tree.h"

namespace porter::sync {

struct FolderDigest {
  std::string path;
  base::Digest digest{};
  friend bool operator==(const FolderDigest&, const FolderDigest&) = default;
};

// Of all folders of a whole, sealed tree, in the tree's order.
std::vector<FolderDigest> folder_digests(const Tree& tree);

std::string encode_folder_digests(const std::vector<FolderDigest>& digests);
// Throws Error(protocol) unless they are in order, unique, with well-formed paths and parents present.
std::vector<FolderDigest> decode_folder_digests(std::string_view bytes);

// The part of `mine` that holds exactly those folders which `theirs` lacks or has with another digest (and
// the root always). Closed upward: where a folder differs, so does every folder above it.
Tree make_part(const Tree& mine, const std::vector<FolderDigest>& theirs);

// The part of a tree without these folders (by index, each with all below it); the root's own entries stay.
Tree part_without(const Tree& tree, const std::vector<std::uint32_t>& branches);

// Fills a part up again: folders that it lacks are taken from `wanted`, whose folder at the same path must
// have the same digest. Throws Error(protocol) where it has not. Stamps are not filled in.
Tree complete_part(Tree part, const Tree& wanted);

}  // namespace porter::sync
