#include "core/sync/content_spool.h"

#include <fcntl.h>
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
  if (!parts_.try_emplace(digest, Part{size_, bytes.size()}).second) return;
  size_ += bytes.size();
  waiting_ += bytes;
  if (waiting_.size() >= kWriteAtOnce) flush();
}

std::optional<std::string> ContentSpool::read(const base::Digest& digest) {
  const std::lock_guard lock(mutex_);
  const auto part = parts_.find(digest);
  if (part == parts_.end()) return std::nullopt;
  flush();
  if (!file_) return std::nullopt;
  std::string bytes(static_cast<std::size_t>(part->second.size), '\0');
  const ssize_t got =
      ::pread(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(part->second.offset));
  if (got != static_cast<ssize_t>(bytes.size())) return std::nullopt;
  return bytes;
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
  try {
    base::write_all(file_.get(), std::exchange(waiting_, {}));
  } catch (const Error&) {
    file_.reset();  // no room: the files are read again
  }
}

}  // namespace porter::sync
