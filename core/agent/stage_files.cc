// Files on their way into a stage: sent ones, and those that the live release has already.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/agent/failpoint.h"
#include "core/agent/interrupted.h"
#include "core/agent/stage_parts.h"
#include "core/base/clone.h"
#include "core/base/content_digest.h"
#include "core/base/error.h"
#include "core/base/holes.h"
#include "core/base/text.h"
#include "core/sync/block_table.h"

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

void fill_file(const Slot& slot, int fd, std::string_view bytes) {
  try {
    base::write_all(fd, bytes);
  } catch (Error& error) {
    error.add_trail("writing " + slot.subject());
    throw;
  }
}

UniqueFd at_full_size(UniqueFd fd, const Slot& slot) {
  const std::uint64_t size = slot.parts.wanted.at(slot.ref).size;
  if (size > static_cast<std::uint64_t>(INT64_MAX) || ::ftruncate(fd.get(), static_cast<off_t>(size)) != 0)
    throw base::system_error(slot.subject(), size > static_cast<std::uint64_t>(INT64_MAX) ? EFBIG : errno);
  return fd;
}

template <class Wanted>
bool has_all_but_content(const StageParts& parts, const Wanted& wanted, const struct stat& info) {
  const bool timed = parts.wanted.identity == sync::Identity::with_mtime;
  return (info.st_mode & 07777U) == wanted.mode && (!timed || mtime_ns(info) == wanted.mtime_ns) &&
         parts.owners.has(info, wanted.extra);
}

// Finds wanted content in the live release and takes it over. One a thread; what all share is the index.
class Cloner {
 public:
  Cloner(StageParts& parts, LiveIndex& index)
      : parts_(parts), index_(index), live_(*parts.live), stage_(parts.tree) {}

  bool take(sync::EntryRef ref) {
    sync::Entry& entry = parts_.wanted.at(ref);
    const std::string& folder = parts_.wanted.folders[ref.folder].path;
    const sync::Folder* known = parts_.base ? parts_.base->tree.find_folder(folder) : nullptr;
    const sync::Entry* there = known == nullptr ? nullptr : known->find(entry.name);
    if (take_from(folder, std::string(entry.name), there, ref, true)) return true;
    const auto other = parts_.base ? index_.find(parts_.base->tree, entry.digest) : std::nullopt;
    if (!other) return false;
    const sync::Entry& same = parts_.base->tree.at(*other);
    const std::string& from = parts_.base->tree.folders[other->folder].path;
    return &same != there && take_from(from, std::string(same.name), &same, ref, false);
  }

 private:
  bool take_from(const std::string& folder, const std::string& name, const sync::Entry* known,
                 sync::EntryRef ref, bool same_path) {
    const UniqueFd old = open_live(folder, name);
    if (!old) return false;
    const std::string subject = sync::join_path(folder, name);
    const struct stat before = stat_of(old.get(), subject);
    sync::Entry& entry = parts_.wanted.at(ref);
    if (!S_ISREG(before.st_mode) || !holds(old.get(), before, known, entry)) return false;
    // Two files that were one, or the other way round, become files of their own.
    const bool stays = same_path && parts_.same_names(parts_.wanted.path_of(ref));
    if (parts_.inplace() && stays && keeps(old.get(), before, entry)) return true;
    return (stays && second_name(old.get(), before, ref)) || copy(old.get(), before, ref);
  }

  // Unreadable, or not what it was: then it is sent.
  UniqueFd open_live(const std::string& folder, const std::string& name) {
    try {
      const int at = live_.descriptor(folder);
      if (at < 0) return {};
      return UniqueFd(::openat(at, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    } catch (const Error&) {
      return {};
    }
  }

  static bool holds(int fd, const struct stat& info, const sync::Entry* known, const sync::Entry& entry) {
    const std::optional<bool> told = content_by_stamp(entry, info, known);
    return told ? *told : base::content_digest(fd, entry.size) == entry.digest;
  }

  // Layout inplace: the very file stays.
  bool keeps(int fd, const struct stat& info, sync::Entry& entry) const {
    if (!is_settled(parts_, entry, info) || !parts_.has_attributes({fd}, entry.extra)) return false;
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
  bool second_name(int from, const struct stat& before, sync::EntryRef ref) const {
    if (parts_.take != Take::hard || parts_.inplace()) return false;
    sync::Entry& entry = parts_.wanted.at(ref);
    if (!is_settled(parts_, entry, before) || !parts_.has_attributes({from}, entry.extra)) return false;
    const std::string path = parts_.wanted.path_of(ref);
    if (!parts_.tree.name_file(from, path)) return false;
    entry.stamp = stamp_of(stat_of(from, path));
    parts_.changes.add({ref});
    return true;
  }

  // False when somebody wrote to the file meanwhile.
  bool copy(int from, const struct stat& before, sync::EntryRef ref) {
    const Slot slot = slot_of(parts_, stage_, ref);
    const UniqueFd to = make_file(slot, 0600);
    fill(from, to.get());
    if (!(stamp_of(stat_of(from, slot.name)) == stamp_of(before))) {
      ::unlinkat(slot.folder, slot.name.c_str(), 0);
      return false;
    }
    settle_file(parts_, to.get(), ref);
    parts_.made({ref});
    reach("stage: file cloned");
    return true;
  }

  StageParts& parts_;
  LiveIndex& index_;
  HeldFolder live_;
  HeldFolder stage_;
};

}  // namespace

std::string Slot::subject() const {
  return parts.tree.label(parts.inplace() ? name : parts.wanted.path_of(ref));
}

Slot slot_of(const StageParts& parts, HeldFolder& stage, sync::EntryRef ref) {
  if (parts.inplace()) return {parts, ref, parts.tree.descriptor(), slot_name(ref)};
  const sync::Folder& folder = parts.wanted.folders[ref.folder];
  const int at = stage.descriptor(folder.path);
  if (at < 0) throw base::system_error(parts.tree.label(folder.path), ENOENT);
  return {parts, ref, at, std::string(folder.entries[ref.entry].name)};
}

UniqueFd make_file(const Slot& slot, mode_t mode) {
  constexpr int kFlags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  UniqueFd fd(::openat(slot.folder, slot.name.c_str(), kFlags, mode));
  if (!fd && errno == EEXIST && ::unlinkat(slot.folder, slot.name.c_str(), 0) == 0)
    fd.reset(::openat(slot.folder, slot.name.c_str(), kFlags, mode));
  if (!fd) throw base::system_error(slot.subject(), errno);
  return fd;
}

UniqueFd make_large_file(const Slot& slot) {
  return at_full_size(make_file(slot, 0600), slot);
}

bool is_settled(const StageParts& parts, const sync::Entry& entry, const struct stat& info) {
  return has_all_but_content(parts, entry, info);
}

bool is_settled(const StageParts& parts, const sync::Folder& folder, const struct stat& info) {
  return has_all_but_content(parts, folder, info);
}

std::optional<bool> content_by_stamp(const sync::Entry& wanted, const struct stat& info,
                                     const sync::Entry* known) {
  if (static_cast<std::uint64_t>(info.st_size) != wanted.size) return false;
  if (known != nullptr && known->kind == sync::Kind::file && sync::is_untouched(*known, info))
    return known->digest == wanted.digest;
  return std::nullopt;
}

bool set_mtime(int fd, std::int64_t mtime_ns) {
  timespec times[2] = {};
  times[0].tv_nsec = UTIME_OMIT;
  times[1] = to_timespec(mtime_ns);
  return ::futimens(fd, times) == 0;
}

void settle_file(StageParts& parts, int fd, sync::EntryRef ref) {
  sync::Entry& entry = parts.wanted.at(ref);
  const auto subject = [&] { return parts.tree.label(parts.wanted.path_of(ref)); };
  const auto failed = [&] { return base::system_error(subject(), errno); };
  if (has_mtime(parts.wanted, entry.mtime_ns) && !set_mtime(fd, entry.mtime_ns)) throw failed();
  struct stat info {};
  if (::fstat(fd, &info) != 0) throw failed();
  // Before the mode: to be given away takes setuid and setgid.
  const bool changed = parts.wanted.keeps.any() && parts.settle_extra(fd, info, entry.extra, subject());
  if ((changed || (info.st_mode & 07777U) != entry.mode) &&
      (::fchmod(fd, entry.mode) != 0 || ::fstat(fd, &info) != 0))
    throw failed();
  if (parts.site->durable() && entry.size >= kWriteBackEarly)
    ::sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);  // a hint; errors show at the sync
  entry.stamp = stamp_of(info);
}

std::optional<sync::EntryRef> LiveIndex::find(const sync::Tree& tree, const base::Digest& digest) {
  std::call_once(made_, [&] { make(tree); });
  const auto at = std::lower_bound(
      files_.begin(), files_.end(), digest,
      [&](sync::EntryRef ref, const base::Digest& wanted) { return tree.at(ref).digest < wanted; });
  if (at == files_.end() || tree.at(*at).digest != digest) return std::nullopt;
  return *at;
}

void LiveIndex::make(const sync::Tree& tree) {
  files_ = tree.files();
  std::stable_sort(files_.begin(), files_.end(),
                   [&](sync::EntryRef a, sync::EntryRef b) { return tree.at(a).digest < tree.at(b).digest; });
}

std::vector<sync::EntryRef> Stage::clone_same(const std::vector<sync::EntryRef>& files) {
  std::vector<sync::EntryRef> missing;
  std::optional<Cloner> cloner;
  if (parts_->live) cloner.emplace(*parts_, parts_->live_index);
  for (const sync::EntryRef file : files) {
    if (!has(file) && !(cloner && cloner->take(file))) missing.push_back(file);
  }
  return missing;
}

std::vector<sync::EntryRef> Stage::put_files(const std::vector<Whole>& files) {
  std::vector<sync::EntryRef> wrong;
  std::vector<sync::EntryRef> made;
  HeldFolder held(parts_->tree);
  for (const Whole& file : files) {
    sync::Entry& entry = parts_->wanted.at(file.file);
    if (file.bytes.size() != entry.size || base::content_digest(file.bytes) != entry.digest) {
      wrong.push_back(file.file);
      continue;
    }
    const Slot slot = slot_of(*parts_, held, file.file);
    const UniqueFd fd = make_file(slot, entry.mode & 0777U);
    reach("stage: file begun");
    fill_file(slot, fd.get(), file.bytes);
    settle_file(*parts_, fd.get(), file.file);
    made.push_back(file.file);
    reach("stage: file finished");
  }
  parts_->made(made);
  return wrong;
}

Unfinished::Unfinished(StageParts& parts, const Slot& slot)
    : parts_(parts), ref_(slot.ref), folder_(::fcntl(slot.folder, F_DUPFD_CLOEXEC, 0)), name_(slot.name) {
  entry().stamp = {};
}

Unfinished::~Unfinished() {
  if (folder_) ::unlinkat(folder_.get(), name_.c_str(), 0);
}

void Unfinished::move_in() {
  if (!end_large_file(*parts_.site, entry().digest, folder_.get(), name_.c_str()))
    throw base::system_error(subject(), errno);
}

void Unfinished::complete() {
  folder_.reset();
  parts_.made({ref_});
  reach("stage: file finished");
}

struct FileWriter::State {
  State(StageParts& parts, const Slot& slot)
      : file(parts, slot),
        resumable(file.entry().size >= sync::kTableFrom),
        fd(resumable ? at_full_size(begin_large_file(*parts.site, file.entry().digest), slot)
                     : make_large_file(slot)),
        hash(file.entry().size) {}

  Unfinished file;
  const bool resumable;  // not in its place before it is complete
  UniqueFd fd;
  base::ContentHash hash;
  std::uint64_t written = 0;
};

FileWriter Stage::begin_file(sync::EntryRef file) {
  HeldFolder held(parts_->tree);
  auto state = std::make_unique<FileWriter::State>(*parts_, slot_of(*parts_, held, file));
  reach("stage: file begun");
  return FileWriter(std::move(state));
}

FileWriter::FileWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
FileWriter::FileWriter(FileWriter&&) noexcept = default;
FileWriter& FileWriter::operator=(FileWriter&&) noexcept = default;
FileWriter::~FileWriter() = default;

void FileWriter::write(std::span<const std::byte> bytes) {
  State& state = *state_;
  const std::uint64_t offset = state.written;
  state.written += bytes.size();
  if (state.written > state.file.entry().size)
    throw Error(Code::protocol, fmt::format("{}: more than the announced {} bytes came", state.file.subject(),
                                            state.file.entry().size));
  state.hash.update(bytes);
  base::while_doing("writing " + state.file.subject(),
                    [&] { base::write_with_holes(state.fd.get(), bytes, offset); });
}

void FileWriter::write(std::string_view bytes) {
  write(std::as_bytes(std::span(bytes.data(), bytes.size())));
}

std::uint64_t FileWriter::written() const {
  return state_->written;
}

void FileWriter::finish() {
  State& state = *state_;
  const sync::Entry& entry = state.file.entry();
  if (state.written != entry.size)
    throw Error(Code::protocol, fmt::format("{}: {} bytes came, {} were announced", state.file.subject(),
                                            state.written, entry.size));
  const base::Digest digest = state.hash.finish();
  if (digest != entry.digest)
    throw Error(Code::protocol, fmt::format("{}: the content is {}, wanted is {}", state.file.subject(),
                                            base::to_hex(digest), base::to_hex(entry.digest)));
  if (state.resumable) state.file.move_in();
  settle_file(state.file.parts(), state.fd.get(), state.file.ref());
  state.file.complete();
}

}  // namespace porter::agent
