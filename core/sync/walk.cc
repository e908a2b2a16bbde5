#include "core/sync/walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/sync/file_hasher.h"

namespace porter::sync {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kSpecialShown = 20;
constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

std::vector<std::string> list_names(int folder, const std::string& shown) {
  // A description of its own, so that the caller's position does not move.
  base::UniqueFd own(::openat(folder, ".", kFolderFlags));
  if (!own) base::throw_errno(shown);
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(own.get()), ::closedir);
  if (!stream) base::throw_errno(shown);
  own.release();
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* item = ::readdir(stream.get());
    if (item == nullptr && errno != 0) base::throw_errno(shown);
    if (item == nullptr) break;
    if (std::strcmp(item->d_name, ".") != 0 && std::strcmp(item->d_name, "..") != 0)
      names.emplace_back(item->d_name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Stamp stamp_of(const struct stat& status) {
  return {static_cast<std::uint64_t>(status.st_ino), static_cast<std::uint64_t>(status.st_size),
          to_ns(status.st_mtim), to_ns(status.st_ctim)};
}

class Walker {
 public:
  Walker(int root_fd, const std::string& subject, const WalkOptions& options)
      : subject_(subject), options_(options), root_fd_(root_fd), hasher_(options.threads, options.cancel) {}

  Tree run(WalkCounts* counts) {
    tree_.identity = options_.identity;
    enter_root();
    while (!stack_.empty())
      descend();
    refuse_special_files();
    apply(hasher_.drain());
    read_young_files();
    drop_vanished();
    tree_.seal_digests();
    check_canonical(tree_);
    if (counts != nullptr) *counts = counts_;
    return std::move(tree_);
  }

 private:
  struct Frame {
    SharedFd fd;
    std::uint32_t folder;
    std::uint32_t next = 0;  // entry
  };
  struct Young {
    EntryRef ref;
    std::int64_t ctime_ns;
  };

  std::string shown(const std::string& path) const { return path.empty() ? subject_ : subject_ + "/" + path; }

  void enter_root() {
    auto fd = std::make_shared<const base::UniqueFd>(::openat(root_fd_, ".", kFolderFlags));
    if (!*fd) base::throw_errno(subject_);
    enter("", std::move(fd));
  }

  // Takes the folder's own facts and lists it.
  void enter(std::string path, SharedFd fd) {
    struct stat status {};
    if (::fstat(fd->get(), &status) != 0) base::throw_errno(shown(path));
    if (stack_.size() >= kMaxDepth)
      throw Error(Code::refused,
                  fmt::format("{}: more than {} folders deep", base::printable(shown(path)), kMaxDepth));
    const auto index = static_cast<std::uint32_t>(tree_.folders.size());
    tree_.folders.push_back({});
    Folder& folder = tree_.folders.back();
    folder.path = std::move(path);
    folder.mode = mode_of(status, Kind::folder);
    folder.mtime_ns = to_ns(status.st_mtim);
    stack_.push_back({std::move(fd), index});
    list(stack_.back());
  }

  void list(const Frame& frame) {
    const std::string path = tree_.folders[frame.folder].path;
    const Folder* known = options_.known == nullptr ? nullptr : options_.known->find_folder(path);
    for (std::string& name : list_names(frame.fd->get(), shown(path)))
      take(frame, path, std::move(name), known);
  }

  void take(const Frame& frame, const std::string& folder_path, std::string name, const Folder* known) {
    options_.cancel.check();
    const std::string path = join_path(folder_path, name);
    struct stat status {};
    if (::fstatat(frame.fd->get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return;
      base::throw_errno(shown(path));
    }
    const Kind kind = S_ISDIR(status.st_mode)   ? Kind::folder
                      : S_ISLNK(status.st_mode) ? Kind::link
                                                : Kind::file;
    if (left_out(path, kind)) return;
    if (kind == Kind::file && !S_ISREG(status.st_mode)) return note_special(path);
    if (path.size() > kMaxPath)
      throw Error(Code::refused,
                  fmt::format("{}: a path of more than {} bytes", base::printable(shown(path)), kMaxPath));
    Entry entry;
    entry.name = std::move(name);
    entry.kind = kind;
    add(frame, path, std::move(entry), status, known);
  }

  void add(const Frame& frame, const std::string& path, Entry entry, const struct stat& status,
           const Folder* known) {
    if (entry.kind == Kind::link) {
      entry.mode = 0777;
      entry.target = read_link(frame.fd->get(), entry.name, path);
      if (entry.target.empty()) return;
    }
    Folder& folder = tree_.folders[frame.folder];
    const EntryRef ref{frame.folder, static_cast<std::uint32_t>(folder.entries.size())};
    folder.entries.push_back(std::move(entry));
    if (folder.entries.back().kind == Kind::file) take_file(frame, ref, path, status, known);
  }

  void take_file(const Frame& frame, EntryRef ref, const std::string& path, const struct stat& status,
                 const Folder* known) {
    Entry& entry = tree_.folders[ref.folder].entries[ref.entry];
    const Entry* before = known == nullptr ? nullptr : find_in(*known, entry.name);
    if (before != nullptr && before->kind == Kind::file && before->stamp == stamp_of(status)) {
      fill(entry, status, before->digest);
      if (options_.stamps == Stamps::yes) entry.stamp = before->stamp;
      ++counts_.files_trusted;
    } else if (changed_just_now(to_ns(status.st_ctim), wall_clock_ns())) {
      young_.push_back({ref, to_ns(status.st_ctim)});
    } else {
      hasher_.push({frame.fd, entry.name, shown(path), ref});
    }
  }

  static const Entry* find_in(const Folder& folder, const std::string& name) {
    const auto at =
        std::lower_bound(folder.entries.begin(), folder.entries.end(), name,
                         [](const Entry& entry, const std::string& wanted) { return entry.name < wanted; });
    return at != folder.entries.end() && at->name == name ? &*at : nullptr;
  }

  // Goes on to the next folder below the deepest open one, or closes that.
  void descend() {
    Frame& frame = stack_.back();
    std::vector<Entry>& entries = tree_.folders[frame.folder].entries;
    while (frame.next < entries.size() && entries[frame.next].kind != Kind::folder)
      ++frame.next;
    if (frame.next == entries.size()) {
      stack_.pop_back();
      return;
    }
    Entry& entry = entries[frame.next++];
    std::string path = join_path(tree_.folders[frame.folder].path, entry.name);
    auto fd =
        std::make_shared<const base::UniqueFd>(::openat(frame.fd->get(), entry.name.c_str(), kFolderFlags));
    if (*fd) return enter(std::move(path), std::move(fd));
    if (errno != ENOENT) base::throw_errno(shown(path));
    entry.name.clear();  // vanished
  }

  std::string read_link(int folder, const std::string& name, const std::string& path) const {
    std::string target(kMaxTarget + 1, '\0');
    const ssize_t length = ::readlinkat(folder, name.c_str(), target.data(), target.size());
    if (length < 0 && errno == ENOENT) return {};
    if (length < 0) base::throw_errno(shown(path));
    if (length == 0 || static_cast<std::size_t>(length) > kMaxTarget)
      throw Error(Code::refused,
                  fmt::format("{}: a link with a target of impossible length", base::printable(shown(path))));
    target.resize(static_cast<std::size_t>(length));
    return target;
  }

  bool left_out(const std::string& path, Kind kind) const {
    if (std::find(options_.without.begin(), options_.without.end(), path) != options_.without.end())
      return true;
    return options_.ignore != nullptr && options_.ignore->ignores(path, kind);
  }

  std::uint32_t mode_of(const struct stat& status, Kind kind) const {
    switch (options_.modes) {
      case ModePolicy::preserve:
        return status.st_mode & 0777U;
      case ModePolicy::normalise:
        return kind == Kind::folder || (status.st_mode & S_IXUSR) != 0 ? 0755U : 0644U;
      case ModePolicy::exact:
        break;
    }
    return status.st_mode & 07777U;
  }

  void fill(Entry& entry, const struct stat& status, const base::Digest& digest) const {
    entry.mode = mode_of(status, Kind::file);
    entry.mtime_ns = to_ns(status.st_mtim);
    entry.size = static_cast<std::uint64_t>(status.st_size);
    entry.digest = digest;
  }

  void apply(const std::vector<HashResult>& results) {
    for (const HashResult& result : results) {
      Entry& entry = tree_.folders[result.ref.folder].entries[result.ref.entry];
      if (!result.facts) {
        entry.name.clear();  // vanished
        continue;
      }
      fill(entry, result.facts->status, result.facts->digest);
      const bool old_enough = to_ns(result.facts->status.st_ctim) + kClockTick <= result.facts->read_from_ns;
      if (options_.stamps == Stamps::yes && old_enough) entry.stamp = stamp_of(result.facts->status);
      ++counts_.files_hashed;
      counts_.bytes_hashed += entry.size;
    }
  }

  void read_young_files() {
    if (young_.empty()) return;
    await_tick();
    SharedFd folder;
    std::uint32_t open_index = 0;
    for (const Young& young : young_) {
      const Folder& parent = tree_.folders[young.ref.folder];
      Entry& entry = tree_.folders[young.ref.folder].entries[young.ref.entry];
      if (!folder || open_index != young.ref.folder) folder = open_again(parent.path);
      open_index = young.ref.folder;
      if (folder) hasher_.push({folder, entry.name, shown(join_path(parent.path, entry.name)), young.ref});
      if (!folder) entry.name.clear();
    }
    apply(hasher_.drain());
  }

  // Until the clock is a tick beyond the youngest file; never longer than that, whatever the clocks say.
  void await_tick() const {
    std::int64_t youngest = 0;
    for (const Young& young : young_)
      youngest = std::max(youngest, young.ctime_ns);
    const std::int64_t wait =
        std::clamp<std::int64_t>(youngest + kClockTick - wall_clock_ns(), 0, kClockTick);
    std::this_thread::sleep_for(std::chrono::nanoseconds(wait));
  }

  // Component by component, so that no link in between is followed. Null when it vanished.
  SharedFd open_again(const std::string& path) const {
    base::UniqueFd fd(::openat(root_fd_, ".", kFolderFlags));
    if (!fd) base::throw_errno(subject_);
    if (path.empty()) return std::make_shared<const base::UniqueFd>(std::move(fd));
    for (const std::string& name : base::split(path, '/')) {
      fd.reset(::openat(fd.get(), name.c_str(), kFolderFlags));
      if (!fd && errno == ENOENT) return nullptr;
      if (!fd) base::throw_errno(shown(path));
    }
    return std::make_shared<const base::UniqueFd>(std::move(fd));
  }

  void drop_vanished() {
    for (Folder& folder : tree_.folders)
      std::erase_if(folder.entries, [](const Entry& entry) { return entry.name.empty(); });
  }

  void note_special(const std::string& path) {
    if (options_.special == SpecialFiles::skip) return;
    if (special_.size() < kSpecialShown) special_.push_back(base::printable(path));
    ++special_count_;
  }

  void refuse_special_files() const {
    if (special_count_ == 0) return;
    const std::string more =
        special_count_ > special_.size() ? fmt::format(" and {} more", special_count_ - special_.size()) : "";
    throw Error(Code::refused, fmt::format("{}: sockets, pipes and devices cannot be deployed: {}{}",
                                           base::printable(subject_), base::join(special_, ", "), more))
        .hint("name them in [module] exclude or in .porterignore");
  }

  const std::string& subject_;
  const WalkOptions& options_;
  int root_fd_;
  Tree tree_;
  std::vector<Frame> stack_;
  std::vector<Young> young_;
  std::vector<std::string> special_;
  std::size_t special_count_ = 0;
  WalkCounts counts_;
  FileHasher hasher_;
};

}  // namespace

Tree walk(int root_fd, const std::string& subject, const WalkOptions& options, WalkCounts* counts) {
  return Walker(root_fd, subject, options).run(counts);
}

Tree walk_folder(const std::string& folder, const WalkOptions& options, WalkCounts* counts) {
  const base::UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd && errno == ENOENT)
    throw Error(Code::missing, fmt::format("{}: there is no such folder", base::printable(folder)));
  if (!fd) base::throw_errno(folder);
  return walk(fd.get(), folder, options, counts);
}

}  // namespace porter::sync
