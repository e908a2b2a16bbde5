#pragma once
// Trees for tests: random ones, and disk folders full of awkward names.

#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "core/sync/tree.h"

namespace porter::sync::test {

// Canonical and sealed; names hold blanks, newlines, dashes, bytes that are no UTF-8.
Tree random_tree(std::mt19937& random, Identity identity, int folders = 12, int entries = 6);
// A copy with a few entries changed, added, removed, moved or turned into another kind.
Tree random_change(const Tree& tree, std::mt19937& random);

// An owner, and attributes of awkward values.
Extra sample_extra();
// The same tree, of which every second entry has something to be kept, folders as well.
Tree with_extras(Tree tree);

Entry file_entry(std::string name, std::string_view content, std::uint32_t mode = 0644);
Entry link_entry(std::string name, std::string target);
// Files by path and content, links as "target" under a path with a trailing '@'; folders are made as needed.
Tree tree_of(const std::vector<std::pair<std::string, std::string>>& files,
             Identity identity = Identity::content_only);

std::string random_bytes(std::mt19937& random, std::size_t size);
void put_file(const std::filesystem::path& file, std::string_view content);

}  // namespace porter::sync::test
