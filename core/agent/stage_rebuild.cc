// Large files that are made from an old version: a new file, or the spare's own one changed where it differs.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>

#include "core/agent/failpoint.h"
#include "core/agent/interrupted.h"
#include "core/agent/stage_parts.h"
#include "core/base/clone.h"
#include "core/base/content_digest.h"
#include "core/base/crew.h"
#include "core/base/error.h"
#include "core/base/holes.h"

namespace porter::agent {

using base::Code;
using base::Error;
using base::UniqueFd;

namespace {

// In place all that is new is held back until the end, since librsync may want to read any old byte until
// then.
constexpr std::uint64_t kMostHeldBack = 4U << 20U;
constexpr std::uint64_t kLeavesToDisk = 16;  // then the disk gets to work

bool all_in_place(const std::vector<sync::Copy>& copies) {
  return !copies.empty() && std::all_of(copies.begin(), copies.end(),
                                        [](const sync::Copy& copy) { return copy.from == copy.to; });
}

std::optional<Basis> basis_of(UniqueFd fd, bool own) {
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  return Basis{std::move(fd), static_cast<std::uint64_t>(info.st_size), own};
}

}  // namespace

std::optional<Basis> Stage::open_basis(sync::EntryRef file) const {
  const std::string path = parts_->wanted.path_of(file);
  if (parts_->bases.has(file)) {
    constexpr int kFlags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    if (auto own = basis_of(UniqueFd(open_beneath(parts_->tree.descriptor(), path, kFlags)), true))
      return own;
  }
  if (auto begun = open_begun(*parts_->site, parts_->wanted.at(file).digest))
    return basis_of(std::move(*begun), false);
  if (!parts_->live) return std::nullopt;
  auto live = parts_->live->try_open_file(path);
  return live ? basis_of(std::move(*live), false) : std::nullopt;
}

struct FileRebuild::State {
  State(StageParts& parts, const Slot& slot, Basis old, std::vector<sync::Copy> told);

  Unfinished unfinished;
  Basis basis;
  std::vector<sync::Copy> copies;
  sync::Rest rest;
  bool in_place = false;
  UniqueFd made;          // a new file; in place the basis itself is written to
  std::string held_back;  // in place
  std::once_flag copied;
  base::LeafDigests leaves;
  std::size_t gap = 0;         // of rest.of_new, that is written to next
  std::uint64_t into_gap = 0;  // bytes of it that are there

  std::string subject() const { return unfinished.subject(); }
  int file() const { return in_place ? basis.fd.get() : made.get(); }
  void copy_all(const base::CancelToken& stop);
  std::uint64_t copy_to(const sync::Range& range) const;
  void start_to_disk(std::uint64_t leaf) const;
  void put(std::string_view bytes);
};

FileRebuild::State::State(StageParts& parts, const Slot& slot, Basis old, std::vector<sync::Copy> told)
    : unfinished(parts, slot),
      basis(std::move(old)),
      copies(std::move(told)),
      rest(sync::what_is_left(copies, basis.size, unfinished.entry().size)),
      leaves(unfinished.entry().size) {
  in_place = basis.own && basis.size == unfinished.entry().size && all_in_place(copies) &&
             sync::total_size(rest.of_new) <= kMostHeldBack;
  if (!in_place) made = make_large_file(slot);
}

FileRebuild Stage::rebuild(sync::EntryRef file, Basis basis, std::vector<sync::Copy> copies) {
  sync::check_copies(copies, basis.size, parts_->wanted.at(file).size);
  HeldFolder held(parts_->tree);
  auto state = std::make_unique<FileRebuild::State>(*parts_, slot_of(*parts_, held, file), std::move(basis),
                                                    std::move(copies));
  reach("stage: file begun");
  return FileRebuild(std::move(state));
}

FileRebuild::FileRebuild(std::unique_ptr<State> state) : state_(std::move(state)) {}
FileRebuild::FileRebuild(FileRebuild&&) noexcept = default;
FileRebuild& FileRebuild::operator=(FileRebuild&&) noexcept = default;
FileRebuild::~FileRebuild() = default;

const sync::Rest& FileRebuild::rest() const {
  return state_->rest;
}

int FileRebuild::basis() const {
  return state_->basis.fd.get();
}

void FileRebuild::copy(const base::CancelToken& stop) {
  std::call_once(state_->copied, [&] {
    if (!state_->in_place)
      base::while_doing("copying to " + state_->subject(), [&] { state_->copy_all(stop); });
  });
}

// Leaf by leaf of the digest: while one core copies, another one reads what is complete, as long as it is at
// hand.
void FileRebuild::State::copy_all(const base::CancelToken& stop) {
  const std::uint64_t size = unfinished.entry().size;
  if (leaves.count() == 0) {
    copy_to({0, size});
    return;
  }
  base::on_all_cores(leaves.count(), stop, [&](std::size_t leaf) {
    const std::uint64_t offset = leaf * base::kLeafBytes;
    const sync::Range range{offset, std::min(base::kLeafBytes, size - offset)};
    if (copy_to(range) == range.size) leaves.read(made.get(), leaf);
    if (unfinished.parts().site->durable()) start_to_disk(leaf);
  });
}

// What falls into a range of the new file. Gives how many bytes that is.
std::uint64_t FileRebuild::State::copy_to(const sync::Range& range) const {
  const std::uint64_t end = range.offset + range.size;
  std::uint64_t copied_bytes = 0;
  auto copy = std::upper_bound(
      copies.begin(), copies.end(), range.offset,
      [](std::uint64_t offset, const sync::Copy& each) { return offset < each.to + each.size; });
  for (; copy != copies.end() && copy->to < end; ++copy) {
    const std::uint64_t to = std::max(copy->to, range.offset);
    const std::uint64_t bytes = std::min(copy->to + copy->size, end) - to;
    if (!base::copy_range(basis.fd.get(), copy->from + (to - copy->to), made.get(), to, bytes))
      throw Error(Code::protocol, fmt::format("{}: its basis became shorter", subject()));
    copied_bytes += bytes;
  }
  return copied_bytes;
}

// A hint; errors show at the sync.
void FileRebuild::State::start_to_disk(std::uint64_t leaf) const {
  if (leaf % kLeavesToDisk != kLeavesToDisk - 1) return;
  constexpr auto kBytes = static_cast<off_t>(kLeavesToDisk * base::kLeafBytes);
  ::sync_file_range(made.get(), static_cast<off_t>(leaf / kLeavesToDisk) * kBytes, kBytes,
                    SYNC_FILE_RANGE_WRITE);
}

void FileRebuild::write(std::string_view bytes) {
  if (!state_->in_place)
    return base::while_doing("writing " + state_->subject(), [&] { state_->put(bytes); });
  if (bytes.size() > kMostHeldBack - state_->held_back.size())
    throw Error(Code::protocol, fmt::format("{}: more came than was left to send", state_->subject()));
  state_->held_back += bytes;
}

void FileRebuild::State::put(std::string_view bytes) {
  while (!bytes.empty()) {
    if (gap == rest.of_new.size())
      throw Error(Code::protocol, fmt::format("{}: more came than was left to send", subject()));
    const sync::Range& range = rest.of_new[gap];
    const std::string_view some = bytes.substr(0, range.size - into_gap);
    const auto write = in_place ? base::write_at : base::write_with_holes;
    write(file(), std::as_bytes(std::span(some.data(), some.size())), range.offset + into_gap);
    reach("stage: file changed");
    bytes.remove_prefix(some.size());
    into_gap += some.size();
    if (into_gap < range.size) continue;
    ++gap;
    into_gap = 0;
  }
}

void FileRebuild::finish(const base::CancelToken& stop) {
  State& state = *state_;
  copy(stop);
  base::while_doing("writing " + state.subject(), [&] { state.put(std::exchange(state.held_back, {})); });
  if (state.gap < state.rest.of_new.size())
    throw Error(Code::protocol, fmt::format("{}: less came than was left to send", state.subject()));
  sync::Entry& entry = state.unfinished.entry();
  settle_file(state.unfinished.parts(), state.file(), state.unfinished.ref());
  if (state.leaves.finish(state.file(), &stop) != entry.digest) {
    entry.stamp = {};
    throw Error(Code::protocol, fmt::format("{}: the content is not the wanted one", state.subject()));
  }
  state.unfinished.complete();
}

}  // namespace porter::agent
