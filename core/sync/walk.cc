#include "core/sync/walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <iterator>
#include <memory>
#include <mutex>
#include <utility>

#include "core/base/error.h"
#include "core/base/folder_entries.h"
#include "core/base/text.h"
#include "core/sync/extra_reader.h"
#include "core/sync/hard_links.h"

namespace porter::sync {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kSpecialShown = 20;
constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
// Files from this size on are a piece of work of their own, so that one folder of large ones keeps all cores
// busy.
constexpr off_t kApart = off_t{1} << 20U;

// Open as long as folders below it are still to be opened.
using SharedDir = std::shared_ptr<const base::UniqueFd>;

// Null with errno.
SharedDir open_folder(int parent, const char* name) {
  base::UniqueFd fd(::openat(parent, name, kFolderFlags));
  return fd ? std::make_shared<const base::UniqueFd>(std::move(fd)) : nullptr;
}

struct Name {
  std::string text;
  bool is_folder;  // by the folder's own word; what is false may be one all the same
};

std::vector<Name> list_names(int dir, const std::string& shown) {
  std::vector<Name> names;
  const bool read = base::for_each_entry(dir, [&](const char* name, unsigned char type) {
    names.push_back({name, type == DT_DIR});
  });
  if (!read) base::throw_errno(shown);
  std::sort(names.begin(), names.end(), [](const Name& a, const Name& b) { return a.text < b.text; });
  return names;
}

Kind kind_of(const struct stat& status) {
  return S_ISDIR(status.st_mode) ? Kind::folder : S_ISLNK(status.st_mode) ? Kind::link : Kind::file;
}

const char* special_kind(mode_t mode) {
  return S_ISFIFO(mode) ? "pipe" : S_ISSOCK(mode) ? "socket" : "device";
}

// A folder as far as it is read. Each is written by one thread at a time; `young` are the entries that are
// read last.
struct Row {
  Folder folder;
  std::string shown;
  std::vector<std::pair<std::uint32_t, std::int64_t>> young;  // entry, ctime
  std::vector<NamedFile> several;                             // files that have more names than one
};
using SharedRow = std::shared_ptr<Row>;

class Walker {
 public:
  Walker(int root_fd, const std::string& subject, const WalkOptions& options)
      : subject_(subject),
        options_(options),
        root_fd_(root_fd),
        extras_(options.keeps),
        crew_(options.threads, options.cancel) {}

  Tree run(WalkCounts* counts) {
    SharedDir root = open_folder(root_fd_, ".");
    if (!root) base::throw_errno(subject_);
    read_folder(root, "", 1);
    crew_.finish();
    refuse_special_files();
    read_young_files();
    Tree tree = assemble();
    if (counts != nullptr) *counts = {hashed_, hashed_bytes_, trusted_};
    return tree;
  }

 private:
  std::string shown(const std::string& path) const { return path.empty() ? subject_ : subject_ + "/" + path; }

  // Takes the folder's own facts and all that is in it; folders below become pieces of work.
  void read_folder(const SharedDir& dir, std::string path, std::size_t depth) {
    auto row = std::make_shared<Row>();
    row->shown = shown(path);
    if (depth > kMaxDepth)
      throw Error(Code::refused,
                  fmt::format("{}: more than {} folders deep", base::printable(row->shown), kMaxDepth));
    struct stat status {};
    if (::fstat(dir->get(), &status) != 0) base::throw_errno(row->shown);
    row->folder.path = std::move(path);
    row->folder.mode = mode_of(status, Kind::folder);
    row->folder.mtime_ns = base::nanoseconds(status.st_mtim);
    row->folder.extra = extras_.read(status, {dir->get()}, row->shown);
    read_entries(dir, row, depth);
    const std::lock_guard lock(mutex_);
    rows_.push_back(std::move(row));
  }

  void read_entries(const SharedDir& dir, const SharedRow& row, std::size_t depth) {
    Folder& folder = row->folder;
    const Folder* known = options_.known == nullptr ? nullptr : options_.known->find_folder(folder.path);
    std::vector<Name> names = list_names(dir->get(), row->shown);
    folder.entries.reserve(names.size());  // entries do not move while others of this folder are being read
    for (Name& name : names) {
      options_.cancel.check();
      take(dir, row, std::move(name), known);
    }
    for (const Entry& entry : folder.entries) {
      if (entry.kind == Kind::folder) enter_later(dir, join_path(folder.path, entry.name), depth + 1);
    }
  }

  void enter_later(const SharedDir& parent, std::string path, std::size_t depth) {
    crew_.add([this, parent = parent, path = std::move(path), depth]() mutable {
      const SharedDir dir = open_folder(parent->get(), std::string(base_name(path)).c_str());
      if (!dir && errno == ENOENT) return;  // vanished: its entry goes with it
      if (!dir) base::throw_errno(shown(path));
      parent.reset();
      read_folder(dir, std::move(path), depth);
    });
  }

  void take(const SharedDir& dir, const SharedRow& row, Name name, const Folder* known) {
    struct stat status {};
    if (!name.is_folder && ::fstatat(dir->get(), name.text.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return;
      base::throw_errno(row->shown + "/" + name.text);
    }
    const Kind kind = name.is_folder ? Kind::folder : kind_of(status);
    if (left_out(row->folder.path, name.text, kind)) return;
    if (kind == Kind::file && !S_ISREG(status.st_mode)) {
      note_special(row->folder.path, name.text, status.st_mode);
      return;
    }
    check_length(*row, name.text);
    Entry entry;
    entry.name = name.text;
    entry.kind = kind;
    if (kind == Kind::link) {
      entry.mode = 0777;
      entry.mtime_ns = base::nanoseconds(status.st_mtim);
      entry.target = read_link(dir->get(), entry.name, row->shown);
      if (entry.target.empty()) return;
      entry.extra = extras_.read(status, {dir->get(), entry.name.c_str()}, row->shown);
    }
    row->folder.entries.push_back(std::move(entry));
    if (kind == Kind::file) take_file(dir, row, status, known);
  }

  // The last entry of the row.
  void take_file(const SharedDir& dir, const SharedRow& row, const struct stat& status, const Folder* known) {
    Entry& entry = row->folder.entries.back();
    const auto index = static_cast<std::uint32_t>(row->folder.entries.size() - 1);
    if (status.st_nlink > 1)
      row->several.push_back({join_path(row->folder.path, entry.name), status.st_dev, status.st_ino});
    const Entry* before = known == nullptr ? nullptr : known->find_near(index, entry.name);
    if (before != nullptr && before->kind == Kind::hard_link) before = options_.known->find(before->target);
    if (before != nullptr && before->kind == Kind::file && is_untouched(*before, status)) {
      fill(entry, status, before->digest);
      const bool known_too = options_.known->keeps.attributes;
      entry.extra = extras_.read(status, {dir->get(), entry.name.c_str()}, row->shown,
                                 known_too ? &before->extra : nullptr);
      if (options_.stamps == Stamps::yes) entry.stamp = before->stamp;
      ++trusted_;
    } else if (changed_just_now(base::nanoseconds(status.st_ctim), wall_clock_ns())) {
      row->young.emplace_back(index, base::nanoseconds(status.st_ctim));
    } else if (status.st_size >= kApart) {
      crew_.add([this, dir, row, index, status] { read_file(dir, *row, index, &status); });
    } else {
      read_file(dir, *row, index, &status);
    }
  }

  void read_file(const SharedDir& dir, Row& row, std::uint32_t index, const struct stat* seen) {
    Entry& entry = row.folder.entries[index];
    const auto facts = digest_file({dir->get(), entry.name, row.shown}, seen, options_.cancel, options_.take);
    if (!facts) return entry.name.clear();  // vanished
    fill(entry, facts->status, facts->digest);
    // After the stamp's time was taken: what changes them later shows.
    entry.extra = extras_.read(facts->status, {dir->get(), entry.name.c_str()}, row.shown);
    const bool old_enough = base::nanoseconds(facts->status.st_ctim) + kClockTick <= facts->read_from_ns;
    if (options_.stamps == Stamps::yes && old_enough) entry.stamp = stamp_of(facts->status);
    ++hashed_;
    hashed_bytes_ += entry.size;
  }

  std::string read_link(int folder, const base::ShortText& name, const std::string& shown_folder) const {
    std::string target(kMaxTarget + 1, '\0');
    const ssize_t length = ::readlinkat(folder, name.c_str(), target.data(), target.size());
    if (length < 0 && errno == ENOENT) return {};
    const std::string path = join_path(shown_folder, name);
    if (length < 0) base::throw_errno(path);
    if (length == 0 || static_cast<std::size_t>(length) > kMaxTarget)
      throw Error(Code::refused,
                  fmt::format("{}: a link with a target of impossible length", base::printable(path)));
    target.resize(static_cast<std::size_t>(length));
    target.shrink_to_fit();
    return target;
  }

  bool left_out(const std::string& folder, const std::string& name, Kind kind) const {
    const bool ignores = options_.ignore != nullptr && !options_.ignore->empty();
    if (!ignores && options_.without.empty()) return false;
    const std::string path = join_path(folder, name);
    if (std::find(options_.without.begin(), options_.without.end(), path) != options_.without.end())
      return true;
    return ignores && options_.ignore->ignores(path, kind);
  }

  static void check_length(const Row& row, const std::string& name) {
    if (row.folder.path.size() + 1 + name.size() <= kMaxPath) return;
    throw Error(Code::refused, fmt::format("{}: a path of more than {} bytes",
                                           base::printable(row.shown + "/" + name), kMaxPath));
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
    entry.mtime_ns = base::nanoseconds(status.st_mtim);
    entry.size = static_cast<std::uint64_t>(status.st_size);
    entry.digest = digest;
  }

  void read_young_files() {
    std::int64_t youngest = 0;
    for (const SharedRow& row : rows_) {
      for (const auto& young : row->young)
        youngest = std::max(youngest, young.second);
    }
    if (youngest == 0) return;
    await_tick(youngest);
    for (const SharedRow& row : rows_) {
      if (!row->young.empty()) crew_.add([this, row] { read_young(*row); });
    }
    crew_.finish();
  }

  void read_young(Row& row) {
    const SharedDir dir = open_again(row.folder.path);
    for (const auto& young : row.young) {
      if (dir)
        read_file(dir, row, young.first, nullptr);
      else
        row.folder.entries[young.first].name.clear();
    }
  }

  // Component by component, so that no link in between is followed. Null when it vanished.
  SharedDir open_again(const std::string& path) const {
    SharedDir dir = open_folder(root_fd_, ".");
    if (!dir) base::throw_errno(subject_);
    if (path.empty()) return dir;
    for (const std::string& name : base::split(path, '/')) {
      dir = open_folder(dir->get(), name.c_str());
      if (!dir && errno == ENOENT) return nullptr;
      if (!dir) base::throw_errno(shown(path));
    }
    return dir;
  }

  Tree assemble() {
    Tree tree;
    tree.identity = options_.identity;
    tree.keeps = options_.keeps;
    tree.folders.reserve(rows_.size());
    std::vector<NamedFile> several;
    for (const SharedRow& row : rows_) {
      tree.folders.push_back(std::move(row->folder));
      std::move(row->several.begin(), row->several.end(), std::back_inserter(several));
    }
    rows_.clear();
    std::sort(tree.folders.begin(), tree.folders.end(),
              [](const Folder& a, const Folder& b) { return compare_paths(a.path, b.path) < 0; });
    drop_vanished(tree);
    find_hard_links(tree, several);
    tree.seal_digests();
    check_canonical(tree);
    return tree;
  }

  // A folder that could not be opened any more is still an entry of the one above, a file has no name.
  static bool has_vanished(const Tree& tree) {
    std::size_t named = 1;
    for (const Folder& folder : tree.folders) {
      for (const Entry& entry : folder.entries) {
        if (entry.name.empty()) return true;
        if (entry.kind == Kind::folder) ++named;
      }
    }
    return named != tree.folders.size();
  }

  static void drop_vanished(Tree& tree) {
    if (!has_vanished(tree)) return;
    for (Folder& folder : tree.folders) {
      std::erase_if(folder.entries, [&](const Entry& entry) {
        return entry.name.empty() || (entry.kind == Kind::folder &&
                                      tree.find_folder(join_path(folder.path, entry.name)) == nullptr);
      });
    }
  }

  void note_special(const std::string& folder, const std::string& name, mode_t mode) {
    if (options_.special == SpecialFiles::skip) return;
    const std::lock_guard lock(mutex_);
    special_.emplace_back(join_path(folder, name), special_kind(mode));
  }

  void refuse_special_files() {
    if (special_.empty()) return;
    std::sort(special_.begin(), special_.end(),
              [](const auto& a, const auto& b) { return compare_paths(a.first, b.first) < 0; });
    const std::size_t shown_count = std::min(special_.size(), kSpecialShown);
    std::vector<std::string> some;
    for (std::size_t i = 0; i < shown_count; ++i)
      some.push_back(fmt::format("{} ({})", base::printable(special_[i].first), special_[i].second));
    const std::string more =
        special_.size() > shown_count ? fmt::format(" and {} more", special_.size() - shown_count) : "";
    throw Error(Code::refused, fmt::format("{}: sockets, pipes and devices cannot be deployed: {}{}",
                                           base::printable(subject_), base::join(some, ", "), more))
        .hint(
            "name them in [module] exclude or in .porterignore; "
            "[module] special = skip leaves all such files out");
  }

  const std::string& subject_;
  const WalkOptions& options_;
  int root_fd_;
  std::mutex mutex_;  // of rows_ and special_
  std::vector<SharedRow> rows_;
  std::vector<std::pair<std::string, const char*>> special_;  // path, kind
  std::atomic<std::uint64_t> hashed_{0};
  std::atomic<std::uint64_t> hashed_bytes_{0};
  std::atomic<std::uint64_t> trusted_{0};
  ExtraReader extras_;
  base::Crew crew_;  // last: its threads end before what they use
};

}  // namespace

Tree walk(int root_fd, const std::string& subject, const WalkOptions& options, WalkCounts* counts) {
  return Walker(root_fd, subject, options).run(counts);
}

base::UniqueFd open_root(const std::string& folder) {
  base::UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd && errno == ENOENT)
    throw Error(Code::missing, fmt::format("{}: there is no such folder", base::printable(folder)));
  if (!fd) base::throw_errno(folder);
  return fd;
}

Tree walk_folder(const std::string& folder, const WalkOptions& options, WalkCounts* counts) {
  return walk(open_root(folder).get(), folder, options, counts);
}

}  // namespace porter::sync
