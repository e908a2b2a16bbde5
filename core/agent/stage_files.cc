// Files on their way into a stage: sent ones, and those that the live release has already.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>

#include "core/agent/failpoint.h"
#include "core/agent/stage_parts.h"
#include "core/base/clone.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace porter::agent {

using base::Code;
using base::Error;
using base::UniqueFd;

namespace {

// Larger files are started on their way to the disk as soon as they are written, so that the sync at the end
// finds little to do.
constexpr std::uint64_t kWriteBackEarly = 1U << 20U;

struct stat stat_of(int fd, const std::string& subject) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) throw base::system_error(subject, errno);
  return info;
}

// Finds wanted content in the live release and takes it over.
class Cloner {
 public:
  explicit Cloner(StageParts& parts) : parts_(parts) {}

  bool take(const std::string& path) {
    sync::Entry& entry = parts_.file(path);
    if (entry.stamp.inode != 0) return true;
    if (!parts_.live) return false;
    const sync::Entry* known = parts_.base ? parts_.base->tree.find(path) : nullptr;
    if (take_from(path, known, path, entry)) return true;
    const std::string* other = elsewhere(entry);
    return other != nullptr && *other != path &&
           take_from(*other, parts_.base->tree.find(*other), path, entry);
  }

 private:
  bool take_from(const std::string& from, const sync::Entry* known, const std::string& path,
                 sync::Entry& entry) {
    const std::optional<UniqueFd> old = open_live(from);
    if (!old) return false;
    const struct stat before = stat_of(old->get(), parts_.live->label(from));
    if (!holds(old->get(), before, known, entry)) return false;
    if (parts_.inplace() && from == path && keeps(before, entry)) return true;
    return second_name(old->get(), before, path, entry) || copy(old->get(), before, path, entry);
  }

  std::optional<UniqueFd> open_live(const std::string& path) const {
    try {
      return parts_.live->try_open_file(path);
    } catch (const Error&) {
      return std::nullopt;  // unreadable, or not what it was: then it is sent
    }
  }

  // Whether the file has the wanted content: told by a stamp that was never touched, else by hashing.
  bool holds(int fd, const struct stat& info, const sync::Entry* known, const sync::Entry& entry) const {
    if (static_cast<std::uint64_t>(info.st_size) != entry.size) return false;
    if (known != nullptr && known->kind == sync::Kind::file && known->stamp == stamp_of(info))
      return known->digest == entry.digest;
    return base::sha256_of_descriptor(fd) == entry.digest;
  }

  // Layout inplace: the very file stays.
  bool keeps(const struct stat& info, sync::Entry& entry) const {
    const bool timed = parts_.wanted.identity == sync::Identity::with_mtime;
    if ((info.st_mode & 07777U) != entry.mode || (timed && mtime_ns(info) != entry.mtime_ns)) return false;
    entry.stamp = stamp_of(info);
    return true;
  }

  void fill(int from, int to) const {
    if (parts_.take == Take::reflink) return base::share_content(from, to);
    if (parts_.take == Take::copy) return base::copy_content(from, to);
    base::clone_content(from, to);
  }

  // A second name for the live release's own file, when asked for and when it is right as it is. Its ctime
  // changes, so the next look at that release reads it once more.
  bool second_name(int from, const struct stat& before, const std::string& path, sync::Entry& entry) const {
    if (parts_.take != Take::hard || parts_.inplace()) return false;
    const bool timed =
        has_mtime(parts_.wanted, entry.mtime_ns) && parts_.wanted.identity == sync::Identity::with_mtime;
    if ((before.st_mode & 07777U) != entry.mode || (timed && mtime_ns(before) != entry.mtime_ns))
      return false;
    if (!parts_.tree.name_file(from, parts_.slot(path))) return false;
    entry.stamp = stamp_of(stat_of(from, path));
    return true;
  }

  // False when somebody wrote to the file meanwhile.
  bool copy(int from, const struct stat& before, const std::string& path, sync::Entry& entry) {
    const std::string slot = parts_.slot(path);
    const UniqueFd to = parts_.tree.create_file(slot);
    fill(from, to.get());
    if (!(stamp_of(stat_of(from, path)) == stamp_of(before))) {
      parts_.tree.remove_file(slot);
      return false;
    }
    settle_file(parts_, to.get(), parts_.tree.label(slot), entry);
    reach("stage: file cloned");
    return true;
  }

  // Another path of the live release with this content.
  const std::string* elsewhere(const sync::Entry& entry) {
    if (!parts_.base) return nullptr;
    if (!indexed_) index();
    const auto found = by_digest_.find(entry.digest);
    return found == by_digest_.end() ? nullptr : &found->second;
  }

  void index() {
    indexed_ = true;
    for (const sync::Folder& folder : parts_.base->tree.folders) {
      for (const sync::Entry& entry : folder.entries) {
        if (entry.kind == sync::Kind::file)
          by_digest_.emplace(entry.digest, sync::join_path(folder.path, entry.name));
      }
    }
  }

  StageParts& parts_;
  std::map<base::Digest, std::string> by_digest_;
  bool indexed_ = false;
};

}  // namespace

void settle_file(const StageParts& parts, int fd, const std::string& subject, sync::Entry& entry) {
  if (::fchmod(fd, entry.mode) != 0) throw base::system_error(subject, errno);
  if (has_mtime(parts.wanted, entry.mtime_ns)) {
    timespec times[2] = {};
    times[0].tv_nsec = UTIME_OMIT;
    times[1] = to_timespec(entry.mtime_ns);
    if (::futimens(fd, times) != 0) throw base::system_error(subject, errno);
  }
  if (parts.site->durable() && entry.size >= kWriteBackEarly)
    ::sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);  // a hint; errors show at the sync
  entry.stamp = stamp_of(stat_of(fd, subject));
}

std::vector<std::string> Stage::clone_same(const std::vector<std::string>& paths) {
  Cloner cloner(*parts_);
  std::vector<std::string> missing;
  for (const std::string& path : paths) {
    if (!cloner.take(path)) missing.push_back(path);
  }
  return missing;
}

std::vector<std::string> Stage::clone_same() {
  std::vector<std::string> paths;
  for (const sync::Folder& folder : parts_->wanted.folders) {
    for (const sync::Entry& entry : folder.entries) {
      if (entry.kind == sync::Kind::file) paths.push_back(sync::join_path(folder.path, entry.name));
    }
  }
  return clone_same(paths);
}

void Stage::put_file(const std::string& path, std::string_view bytes) {
  FileWriter writer = begin_file(path);
  writer.write(bytes);
  writer.finish();
}

std::optional<UniqueFd> Stage::open_basis(const std::string& path) const {
  check_relative(path);
  if (!parts_->live) return std::nullopt;
  return parts_->live->try_open_file(path);
}

struct FileWriter::State {
  StageParts* parts = nullptr;
  sync::Entry* entry = nullptr;
  std::string slot;
  UniqueFd fd;
  base::Sha256 hash;
  std::uint64_t written = 0;

  std::string subject() const { return parts->tree.label(slot); }
};

FileWriter Stage::begin_file(const std::string& path) {
  auto state = std::make_unique<FileWriter::State>();
  state->parts = parts_.get();
  state->entry = &parts_->file(path);
  state->slot = parts_->slot(path);
  // From an earlier try, or a clone that turned out wrong.
  if (parts_->tree.remove_file(state->slot)) state->entry->stamp = {};
  state->fd = parts_->tree.create_file(state->slot);
  reach("stage: file begun");
  return FileWriter(std::move(state));
}

FileWriter::FileWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
FileWriter::FileWriter(FileWriter&&) noexcept = default;
FileWriter& FileWriter::operator=(FileWriter&&) noexcept = default;

FileWriter::~FileWriter() {
  if (!state_ || !state_->fd) return;
  try {
    state_->parts->tree.remove_file(state_->slot);
  } catch (const std::exception&) {
    // The stage is unsealed; whoever cleans up finds it.
  }
}

void FileWriter::write(std::span<const std::byte> bytes) {
  state_->written += bytes.size();
  if (state_->written > state_->entry->size)
    throw Error(Code::protocol, fmt::format("{}: more than the announced {} bytes came", state_->subject(),
                                            state_->entry->size));
  state_->hash.update(bytes);
  base::while_doing("writing " + state_->subject(), [&] { base::write_all(state_->fd.get(), bytes); });
}

void FileWriter::write(std::string_view bytes) {
  write(std::as_bytes(std::span(bytes.data(), bytes.size())));
}

std::uint64_t FileWriter::written() const {
  return state_->written;
}

void FileWriter::finish() {
  const sync::Entry& entry = *state_->entry;
  if (state_->written != entry.size)
    throw Error(Code::protocol, fmt::format("{}: {} bytes came, {} were announced", state_->subject(),
                                            state_->written, entry.size));
  const base::Digest digest = state_->hash.finish();
  if (digest != entry.digest)
    throw Error(Code::protocol, fmt::format("{}: the content is {}, wanted is {}", state_->subject(),
                                            base::to_hex(digest), base::to_hex(entry.digest)));
  settle_file(*state_->parts, state_->fd.get(), state_->subject(), *state_->entry);
  state_->fd.reset();
  reach("stage: file finished");
}

}  // namespace porter::agent
