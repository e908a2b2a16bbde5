#include "core/agent/interrupted.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "core/agent/failpoint.h"
#include "core/agent/space.h"
#include "core/base/content_digest.h"
#include "core/base/crew.h"
#include "core/base/error.h"
#include "core/sync/extra_reader.h"
#include "core/sync/file_digest.h"

namespace porter::agent {

using base::Digest;
using base::Error;
using base::UniqueFd;

namespace {

constexpr const char* kAll = ".porter/interrupted";
constexpr const char* kBegun = "begun";
constexpr const char* kBegunFolder = ".porter/interrupted/begun";
constexpr int kRead = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
constexpr std::size_t kFilesInPiece = 64;

std::string stage_tree(const SiteFolders& site, const std::string& id) {
  return (site.layout == Layout::inplace ? ".porter/staging/" : "releases/") + id;
}

std::string free_name(const SiteFolders& site) {
  for (int number = 0;; ++number) {
    std::string name = fmt::format("{}/{}", kAll, number);
    if (!site.root.exists(name)) return name;
  }
}

std::string begun_name(const Digest& wanted) {
  return fmt::format("{}/{}", kBegunFolder, base::to_hex(wanted));
}

std::optional<Digest> digest_of_name(const std::string& name) {
  const std::optional<std::string> bytes = base::from_hex(name);
  Digest digest{};
  if (!bytes || bytes->size() != digest.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), digest.begin());
  return digest;
}

std::unordered_set<Digest, base::DigestHash> contents_of(const sync::Tree& tree) {
  std::unordered_set<Digest, base::DigestHash> contents;
  for (const sync::EntryRef file : tree.files())
    contents.insert(tree.at(file).digest);
  return contents;
}

}  // namespace

void keep_interrupted(const SiteFolders& site, const std::string& id) {
  const std::string tree = stage_tree(site, id);
  const std::optional<Beneath> folder = site.root.try_folder(tree);
  if (!folder || folder->list().empty() || !fits({}, space_at(site.root.label()))) return;
  site.root.make_folder(kAll, 0700);
  // Moving a folder changes its "..", which its owner must be allowed to.
  site.root.set_mode(tree, 0700);
  site.root.rename(tree, free_name(site), Replace::no);
  reach("interrupted: moved");
  // In place its folder was its mark.
  site.mark(id);
}

void drop_interrupted(const SiteFolders& site) {
  site.remove_tree(kAll);
}

UniqueFd begin_large_file(const SiteFolders& site, const Digest& wanted) {
  site.root.make_folders(kBegunFolder, 0700);
  const std::string name = begun_name(wanted);
  site.root.remove_file(name);
  return site.root.create_file(name);
}

std::optional<UniqueFd> open_begun(const SiteFolders& site, const Digest& wanted) {
  return site.root.try_open_file(begun_name(wanted));
}

bool end_large_file(const SiteFolders& site, const Digest& wanted, int folder, const char* name) {
  const Beneath begun = site.root.folder(kBegunFolder);
  return ::renameat(begun.descriptor(), base::to_hex(wanted).c_str(), folder, name) == 0;
}

// Reads folder by folder, and of each the files in pieces.
class InterruptedSend::Reader {
 public:
  Reader(InterruptedSend& found, sync::Keeps keeps, const base::CancelToken& stop)
      : found_(found), keeps_(keeps), stop_(stop), crew_(base::Crew::usual_threads(), stop) {
    struct stat info {};
    if (::fstat(found.site_->root.descriptor(), &info) == 0) site_group_ = info.st_gid;
  }

  void run() {
    for (const FolderEntry& entry : found_.tree_->list()) {
      if (entry.name == kBegun)
        list_begun();
      else if (entry.kind == EntryKind::folder)
        add_folder(entry.name);
    }
    crew_.finish();
  }

 private:
  void list_begun() {
    for (const FolderEntry& entry : found_.tree_->list(kBegun)) {
      if (const auto digest = digest_of_name(entry.name)) found_.begun_.insert(*digest);
    }
  }

  void add_folder(const std::string& path) {
    crew_.add([this, path] { as_far_as_possible([&] { read_folder(path); }); });
  }

  template <class Work>
  static void as_far_as_possible(Work work) {
    try {
      work();
    } catch (const Error&) {
      // It is sent again.
    }
  }

  void read_folder(const std::string& path) {
    const Beneath folder = found_.tree_->folder(path);
    std::vector<std::string> files;
    for (const FolderEntry& entry : folder.list_alone()) {
      if (entry.kind == EntryKind::folder) add_folder(sync::join_path(path, entry.name));
      if (entry.kind == EntryKind::file) files.push_back(entry.name);
      if (files.size() == kFilesInPiece) add_files(path, std::exchange(files, {}));
    }
    add_files(path, std::move(files));
  }

  void add_files(const std::string& path, std::vector<std::string> names) {
    if (names.empty()) return;
    crew_.add([this, path, names = std::move(names)] {
      as_far_as_possible([&] {
        const Beneath folder = found_.tree_->folder(path);
        for (const std::string& name : names)
          as_far_as_possible([&] { read_file(folder, path, name); });
      });
    });
  }

  // Whether it is as a new file would be, as far as the next tree does not make it so: a folder may hand its
  // group on.
  bool is_like_new(int fd, const struct stat& info) const {
    const bool ours =
        info.st_uid == ::geteuid() && (info.st_gid == ::getegid() || info.st_gid == site_group_);
    return (ours || (keeps_.owners != sync::Owners::none && ::geteuid() == 0)) &&
           (keeps_.attributes || sync::read_attributes({fd}, "").empty());
  }

  // One with further names may be a release's own.
  void read_file(const Beneath& folder, const std::string& path, const std::string& name) {
    const UniqueFd fd = folder.open_file(name);
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0 || info.st_nlink != 1 || info.st_size == 0) return;
    if (!is_like_new(fd.get(), info)) return;
    const auto size = static_cast<std::uint64_t>(info.st_size);
    const auto digest = base::content_digest(fd.get(), size, &stop_);
    if (!digest) return;
    const std::lock_guard lock(mutex_);
    found_.files_.emplace(*digest, File{sync::join_path(path, name), sync::stamp_of(info)});
  }

  InterruptedSend& found_;
  const sync::Keeps keeps_;
  const base::CancelToken& stop_;
  gid_t site_group_ = ::getegid();
  std::mutex mutex_;  // of found_.files_
  base::Crew crew_;
};

InterruptedSend::InterruptedSend(std::shared_ptr<const SiteFolders> site, sync::Keeps keeps,
                                 const base::CancelToken& stop)
    : site_(std::move(site)) {
  try {
    tree_ = site_->root.try_folder(kAll);
    if (tree_) Reader(*this, keeps, stop).run();
  } catch (const Error&) {
    // It is sent again.
  }
}

std::vector<Digest> InterruptedSend::beyond(const sync::Tree& tree) const {
  std::vector<Digest> contents;
  if (files_.empty()) return contents;
  const auto known = contents_of(tree);
  for (const auto& [digest, file] : files_) {
    if (!known.contains(digest)) contents.push_back(digest);
  }
  return contents;
}

void InterruptedSend::leave_out(const sync::Tree& tree) {
  if (files_.empty()) return;
  for (const Digest& digest : contents_of(tree))
    files_.erase(digest);
}

UniqueFd InterruptedSend::take(const Digest& content, int folder, const char* name) {
  const auto found = files_.find(content);
  if (found == files_.end()) return {};
  const File file = std::move(found->second);
  files_.erase(found);
  const std::optional<Beneath> from = tree_->try_folder(sync::parent_path(file.path));
  if (!from) return {};
  const std::string old_name(sync::base_name(file.path));
  UniqueFd fd(::openat(from->descriptor(), old_name.c_str(), kRead));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0 || !(sync::stamp_of(info) == file.stamp)) return {};
  if (::renameat(from->descriptor(), old_name.c_str(), folder, name) != 0) return {};
  reach("interrupted: taken");
  return fd;
}

void InterruptedSend::drop_all_but(const std::unordered_set<Digest, base::DigestHash>& begun) {
  if (!tree_) return;
  files_.clear();
  for (const FolderEntry& entry : tree_->list()) {
    if (entry.name != kBegun) site_->remove_tree(sync::join_path(kAll, entry.name));
  }
  for (const Digest& digest : std::exchange(begun_, {})) {
    if (begun.contains(digest))
      begun_.insert(digest);
    else
      site_->root.remove_file(begun_name(digest));
  }
}

}  // namespace porter::agent
