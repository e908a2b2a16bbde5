#include "core/sync/content_spool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <utility>

#include "core/base/error.h"
#include "core/base/files.h"

namespace porter::sync {
namespace {

using base::Error;

constexpr std::size_t kWriteAtOnce = 256U << 10U;

}  // namespace

void ContentSpool::add(const base::Digest& digest, std::string_view bytes) {
  if (bytes.size() > kLargest) return;
  const std::lock_guard lock(mutex_);
  if (!opened_) open();
  if (!file_ || size_ + bytes.size() > kMost) return;
  if (!parts_.try_emplace(digest, Content::Part{size_, bytes.size()}).second) return;
  size_ += bytes.size();
  waiting_ += bytes;
  if (waiting_.size() >= kWriteAtOnce) flush();
}

std::uint64_t ContentSpool::move_to(const std::filesystem::path& name) {
  const std::lock_guard lock(mutex_);
  opened_ = true;
  flush();
  const bool named = file_ && size_ > 0 && give_name(name);
  file_.reset();
  if (!named) parts_.clear();
  return named ? size_ : 0;
}

// By way of /proc, as open(2) describes for O_TMPFILE.
bool ContentSpool::give_name(const std::filesystem::path& name) const {
  const std::string self = fmt::format("/proc/self/fd/{}", file_.get());
  return ::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0;
}

std::optional<Content::Part> ContentSpool::find(const base::Digest& digest) const {
  const std::lock_guard lock(mutex_);
  const auto part = parts_.find(digest);
  return part == parts_.end() ? std::nullopt : std::optional(part->second);
}

void ContentSpool::open() {
  opened_ = true;
  try {
    base::make_folders(folder_, 0700);
  } catch (const Error&) {
    return;
  }
  file_.reset(::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
}

void ContentSpool::flush() {
  if (!file_) return;
  try {
    base::write_all(file_.get(), std::exchange(waiting_, {}));
  } catch (const Error&) {
    file_.reset();  // no room: the files are read again
  }
}

}  // namespace porter::sync
