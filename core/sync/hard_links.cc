#include "core/sync/hard_links.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace porter::sync {
namespace {

bool says_the_same(const Entry& a, const Entry& b) {
  return a.mode == b.mode && a.mtime_ns == b.mtime_ns && a.size == b.size && a.digest == b.digest &&
         a.extra == b.extra;
}

void link_all(Tree& tree, std::vector<EntryRef> names) {
  std::sort(names.begin(), names.end());
  const EntryRef first = names.front();
  for (const EntryRef name : names) {
    Entry& entry = tree.at(name);
    if (name == first || !says_the_same(entry, tree.at(first))) continue;
    entry = further_name(entry.name, tree.path_of(first));
  }
}

}  // namespace

Entry further_name(std::string_view name, std::string_view first) {
  Entry entry;
  entry.name = name;
  entry.kind = Kind::hard_link;
  entry.mode = 0;
  entry.target = first;
  return entry;
}

void find_hard_links(Tree& tree, const std::vector<NamedFile>& files) {
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::vector<EntryRef>> names;
  for (const NamedFile& file : files) {
    const std::optional<EntryRef> ref = tree.find_ref(file.path);
    if (ref) names[{file.device, file.inode}].push_back(*ref);
  }
  for (auto& [file, refs] : names) {
    if (refs.size() > 1) link_all(tree, std::move(refs));
  }
}

void give_up_first_name(Tree& tree, std::string_view path) {
  const Entry* first = tree.find(path);
  if (first == nullptr || first->kind != Kind::file) return;
  Entry file = *first;
  std::string heir;
  for (Folder& folder : tree.folders) {
    for (Entry& entry : folder.entries) {
      if (entry.kind != Kind::hard_link || entry.target != path) continue;
      if (heir.empty()) {
        heir = join_path(folder.path, entry.name);
        file.name = std::move(entry.name);
        entry = file;
      } else {
        entry.target = heir;
      }
    }
  }
}

HardLinks::HardLinks(const Tree& tree) {
  for (const Folder& folder : tree.folders) {
    for (const Entry& entry : folder.entries) {
      if (entry.kind != Kind::hard_link) continue;
      const std::string first(entry.target);
      const auto [group, is_new] = group_of_.try_emplace(first, groups_.size());
      if (is_new) groups_.push_back({first});
      const std::size_t number = group->second;
      groups_[number].push_back(join_path(folder.path, entry.name));
      group_of_[groups_[number].back()] = number;
    }
  }
}

const std::vector<std::string>* HardLinks::names_of(const std::string& path) const {
  const auto group = group_of_.find(path);
  return group == group_of_.end() ? nullptr : &groups_[group->second];
}

bool HardLinks::same_names(const HardLinks& a, const HardLinks& b, const std::string& path) {
  const std::vector<std::string>* here = a.names_of(path);
  const std::vector<std::string>* there = b.names_of(path);
  if (here == nullptr || there == nullptr) return here == there;
  return *here == *there;
}

std::size_t HardLinks::count(const std::string& path) const {
  const std::vector<std::string>* names = names_of(path);
  return names == nullptr ? 1 : names->size();
}

}  // namespace porter::sync
