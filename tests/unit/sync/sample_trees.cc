#include "tests/unit/sync/sample_trees.h"

#include <algorithm>
#include <fstream>
#include <map>

#include "core/base/content_digest.h"
#include "core/base/files.h"

namespace porter::sync::test {
namespace {

std::string odd_name(std::mt19937& random, int number) {
  static const std::vector<std::string> heads = {"a", "-rf", " b",   "c\n",  "\xFF\xFE", "d.",
                                                 "~", "*",   "e\"f", "\x01", "z\\",      "..."};
  return heads[random() % heads.size()] + std::to_string(number);
}

Entry random_entry(std::mt19937& random, int number) {
  if (random() % 5 == 0) {
    Entry link = link_entry(odd_name(random, number), "../x\n" + std::to_string(random() % 3));
    link.mtime_ns = static_cast<std::int64_t>(random() % 3);
    return link;
  }
  Entry entry =
      file_entry(odd_name(random, number), std::to_string(random() % 40), random() % 2 == 0 ? 0644 : 0755);
  entry.size = random() % 3 == 0 ? 100'000 + random() % 3 : entry.size;
  entry.digest = base::sha256(std::to_string(entry.size) + std::to_string(random() % 40));
  entry.mtime_ns = static_cast<std::int64_t>(random()) * 1000 - 5;
  if (random() % 2 == 0) entry.stamp = {random(), entry.mtime_ns, static_cast<std::int64_t>(random())};
  return entry;
}

// Folders by path; turns them into a canonical, sealed tree with the entries that lead to them.
Tree assemble(std::map<std::string, Folder> folders, Identity identity) {
  std::map<std::string, std::map<std::string, Entry>> entries;
  for (const auto& [path, folder] : folders)
    for (const Entry& entry : folder.entries)
      if (entry.kind != Kind::folder && folders.count(join_path(path, entry.name)) == 0)
        entries[path][std::string(entry.name)] = entry;
  for (const auto& [path, folder] : folders)
    if (!path.empty()) {
      Entry entry;
      entry.name = base_name(path);
      entry.kind = Kind::folder;
      entries[std::string(parent_path(path))][std::string(entry.name)] = entry;
    }
  Tree tree;
  tree.identity = identity;
  for (auto& [path, folder] : folders) {
    folder.path = path;
    folder.entries.clear();
    for (auto& [name, entry] : entries[path])
      folder.entries.push_back(entry);
    tree.folders.push_back(folder);
  }
  std::sort(tree.folders.begin(), tree.folders.end(),
            [](const Folder& a, const Folder& b) { return compare_paths(a.path, b.path) < 0; });
  tree.seal_digests();
  check_canonical(tree);
  return tree;
}

std::map<std::string, Folder> by_path(const Tree& tree) {
  std::map<std::string, Folder> folders;
  for (const Folder& folder : tree.folders)
    folders[folder.path] = folder;
  return folders;
}

}  // namespace

Entry file_entry(std::string name, std::string_view content, std::uint32_t mode) {
  Entry entry;
  entry.name = std::move(name);
  entry.mode = mode;
  entry.size = content.size();
  entry.digest = base::content_digest(content);
  return entry;
}

Entry link_entry(std::string name, std::string target) {
  Entry entry;
  entry.name = std::move(name);
  entry.kind = Kind::link;
  entry.mode = 0777;
  entry.target = std::move(target);
  return entry;
}

Tree tree_of(const std::vector<std::pair<std::string, std::string>>& files, Identity identity) {
  std::map<std::string, Folder> folders;
  folders[""];
  for (const auto& [named, content] : files) {
    const bool link = named.back() == '@';
    const std::string path = link ? named.substr(0, named.size() - 1) : named;
    for (auto above = parent_path(path); !above.empty(); above = parent_path(above))
      folders[std::string(above)];
    const std::string name(base_name(path));
    folders[std::string(parent_path(path))].entries.push_back(link ? link_entry(name, content)
                                                                   : file_entry(name, content));
  }
  return assemble(std::move(folders), identity);
}

Tree random_tree(std::mt19937& random, Identity identity, int folders, int entries) {
  std::map<std::string, Folder> made;
  std::vector<std::string> paths = {""};
  made[""].mtime_ns = 77;
  int number = 0;
  for (int i = 0; i < folders; ++i) {
    const std::string path = join_path(paths[random() % paths.size()], odd_name(random, ++number));
    paths.push_back(path);
    made[path].mode = random() % 3 == 0 ? 0700 : 0755;
    made[path].mtime_ns = static_cast<std::int64_t>(random());
  }
  for (const std::string& path : paths)
    for (auto left = random() % static_cast<unsigned>(entries + 1); left > 0; --left)
      made[path].entries.push_back(random_entry(random, ++number));
  return assemble(std::move(made), identity);
}

Tree random_change(const Tree& tree, std::mt19937& random) {
  std::map<std::string, Folder> folders = by_path(tree);
  std::vector<std::string> paths;
  for (const auto& [path, folder] : folders)
    paths.push_back(path);
  for (auto changes = random() % 6; changes > 0; --changes) {
    const std::string path = paths[random() % paths.size()];
    if (folders.count(path) == 0) continue;
    std::vector<Entry>& entries = folders[path].entries;
    switch (random() % 6) {
      case 0:
        entries.push_back(random_entry(random, static_cast<int>(1000 + random() % 1000)));
        break;
      case 1:
        if (!entries.empty())
          entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(random() % entries.size()));
        break;
      case 2:
        if (!entries.empty() && entries[0].kind == Kind::file)
          entries[0].digest = base::sha256(std::to_string(random()));
        break;
      case 3:
        folders[path].mode ^= 0022U;
        break;
      case 4:
        folders[join_path(path, "new" + std::to_string(random() % 9))];
        break;
      case 5:
        if (path.empty()) break;
        std::erase_if(folders, [&](const auto& item) {
          return item.first == path || item.first.starts_with(path + "/");
        });
        if (random() % 2 == 0)
          folders[std::string(parent_path(path))].entries.push_back(
              file_entry(std::string(base_name(path)), "was a folder"));
        break;
    }
  }
  return assemble(std::move(folders), tree.identity);
}

Extra sample_extra() {
  return {Owner{{"ada", 0}, {"", 1001}}, {{"user.b", std::string("\0\xFF", 2)}, {"user.c", ""}}};
}

Tree with_extras(Tree tree) {
  tree.keeps = {Owners::names, true};
  unsigned number = 0;
  for (Folder& folder : tree.folders) {
    folder.extra = PackedExtra({Owner{{"", ++number}, {"www", 0}}, {}});
    for (Entry& entry : folder.entries) {
      const bool alone = entry.kind == Kind::file || entry.kind == Kind::link;
      if (alone && ++number % 2 == 0) entry.extra = PackedExtra(sample_extra());
    }
  }
  tree.seal_digests();
  return tree;
}

std::string random_bytes(std::mt19937& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t at = 0; at < size; at += 4) {
    const auto word = static_cast<std::uint32_t>(random());
    for (std::size_t i = at; i < std::min(at + 4, size); ++i)
      bytes[i] = static_cast<char>(word >> (8 * (i - at)));
  }
  return bytes;
}

void put_file(const std::filesystem::path& file, std::string_view content) {
  base::make_folders(file.parent_path());
  std::ofstream(file, std::ios::binary) << content;
}

}  // namespace porter::sync::test
