#include "core/sync/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/bytes.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace porter::sync {
namespace {

using base::Code;
using base::Error;

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kMaxPathBytes = 256U << 20U;  // in all; prefixes are shared on the wire only

const FolderDigest* find_digest(const std::vector<FolderDigest>& digests, std::string_view path) {
  const auto at = std::lower_bound(digests.begin(), digests.end(), path,
                                   [](const FolderDigest& known, std::string_view wanted) {
                                     return compare_paths(known.path, wanted) < 0;
                                   });
  return at != digests.end() && at->path == path ? &*at : nullptr;
}

// Index after the last folder of the tree that is `index` or below it.
std::size_t end_of_branch(const Tree& tree, std::size_t index) {
  std::size_t end = index + 1;
  while (end < tree.folders.size() && is_at_or_below(tree.folders[end].path, tree.folders[index].path))
    ++end;
  return end;
}

// Keeps the chain of folders from the root to the last one, to see that each path's parent was there.
class ParentCheck {
 public:
  bool accepts(const std::string& path) {
    if (open_.empty()) return push(path, path.empty());
    while (!open_.empty() && parent_path(path) != open_.back())
      open_.pop_back();
    return push(path, !open_.empty() && name_fault(base_name(path)) == nullptr && open_.size() < kMaxDepth);
  }

 private:
  bool push(const std::string& path, bool good) {
    open_.push_back(path);
    return good && path.size() <= kMaxPath;
  }
  std::vector<std::string> open_;
};

FolderDigest read_one(base::ByteReader& reader, std::string_view before) {
  const auto shared = static_cast<std::size_t>(reader.varint_up_to(before.size()));
  FolderDigest one;
  const std::string_view rest = reader.text(kMaxPath);
  if (shared < before.size() && rest.starts_with(before[shared]))
    throw reader.error("a needlessly long path");
  one.path = before.substr(0, shared);
  one.path += rest;
  one.digest = reader.digest();
  return one;
}

// Puts a part's folders and those that it leaves out, which the other tree has, in their order.
class Completion {
 public:
  Completion(std::vector<Folder> part, const Tree& other) : part_(std::move(part)), other_(other) {}

  std::vector<Folder> run() {
    take_next();
    return std::move(whole_);
  }

 private:
  // The part's next folder, and all that is below it.
  void take_next() {
    const std::size_t at = whole_.size();
    whole_.push_back(std::move(part_[next_++]));
    for (std::size_t i = 0; i < whole_[at].entries.size(); ++i) {
      const Entry& entry = whole_[at].entries[i];
      if (entry.kind != Kind::folder) continue;
      const std::string path = join_path(whole_[at].path, entry.name);
      if (next_ < part_.size() && part_[next_].path == path)
        take_next();
      else
        append_branch(path, entry.digest, entry.mtime_ns);
    }
  }

  void append_branch(const std::string& path, base::Digest digest, std::int64_t mtime_ns) {
    const auto from = other_.folder_index(path);
    if (!from || other_.folders[*from].digest != digest)
      throw Error(Code::protocol, fmt::format("tree: \"{}\" was left out, but is not equal on both sides",
                                              base::printable(path)));
    const std::size_t to = end_of_branch(other_, *from);
    for (std::size_t i = *from; i < to; ++i) {
      whole_.push_back(other_.folders[i]);
      for (Entry& copied : whole_.back().entries)
        copied.stamp = {};
      if (i == *from) whole_.back().mtime_ns = mtime_ns;
    }
  }

  std::vector<Folder> part_;
  const Tree& other_;
  std::size_t next_ = 0;  // of the part
  std::vector<Folder> whole_;
};

}  // namespace

std::vector<FolderDigest> folder_digests(const Tree& tree) {
  std::vector<FolderDigest> digests;
  digests.reserve(tree.folders.size());
  for (const Folder& folder : tree.folders)
    digests.push_back({folder.path, folder.digest});
  return digests;
}

std::string encode_folder_digests(const std::vector<FolderDigest>& digests) {
  base::ByteWriter writer;
  writer.u8(kVersion).varint(digests.size());
  std::string_view before;
  for (const FolderDigest& one : digests) {
    const std::size_t shared = shared_length(before, one.path);
    writer.varint(shared).text(std::string_view(one.path).substr(shared)).digest(one.digest);
    before = one.path;
  }
  return writer.take();
}

std::vector<FolderDigest> decode_folder_digests(std::string_view bytes) {
  base::ByteReader reader(bytes, "folder digests");
  if (reader.u8() != kVersion) throw reader.error("unknown format");
  const std::size_t count = reader.count(2 + base::Digest().size());
  std::vector<FolderDigest> digests;
  digests.reserve(count);
  ParentCheck parents;
  std::size_t path_bytes = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view before =
        digests.empty() ? std::string_view() : std::string_view(digests.back().path);
    FolderDigest one = read_one(reader, before);
    path_bytes += one.path.size();
    const bool ordered = digests.empty() || compare_paths(before, one.path) < 0;
    if (!ordered || path_bytes > kMaxPathBytes || !parents.accepts(one.path))
      throw reader.error("a path that cannot be");
    digests.push_back(std::move(one));
  }
  if (digests.empty()) throw reader.error("the root is missing");
  reader.expect_end();
  return digests;
}

Tree make_part(const Tree& mine, const std::vector<FolderDigest>& theirs) {
  Tree part;
  part.identity = mine.identity;
  part.keeps = mine.keeps;
  for (std::size_t i = 0; i < mine.folders.size();) {
    const Folder& folder = mine.folders[i];
    const FolderDigest* known = find_digest(theirs, folder.path);
    if (i > 0 && known != nullptr && known->digest == folder.digest) {
      i = end_of_branch(mine, i);
      continue;
    }
    part.folders.push_back(folder);
    ++i;
  }
  return part;
}

Tree part_without(const Tree& tree, const std::vector<std::uint32_t>& branches) {
  Tree part;
  part.identity = tree.identity;
  part.keeps = tree.keeps;
  if (!branches.empty() && branches.front() == 0) {
    part.folders.push_back(tree.folders.front());
    return part;
  }
  auto next = branches.begin();
  for (std::size_t i = 0; i < tree.folders.size();) {
    if (next != branches.end() && *next == i) {
      ++next;
      i = end_of_branch(tree, i);
    } else {
      part.folders.push_back(tree.folders[i++]);
    }
  }
  return part;
}

Tree complete_part(Tree part, const Tree& wanted) {
  part.folders = Completion(std::move(part.folders), wanted).run();
  return part;  // sealed: what was left out has the digests that the part's own were computed with
}

}  // namespace porter::sync
