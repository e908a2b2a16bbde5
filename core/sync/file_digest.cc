#include "core/sync/file_digest.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <thread>
#include <utility>

#include "core/base/content_digest.h"
#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/text.h"

namespace porter::sync {
namespace {

using base::Code;
using base::Error;

constexpr int kReadings = 3;

bool same_status(const struct stat& a, const struct stat& b) {
  return a.st_ino == b.st_ino && a.st_size == b.st_size &&
         base::nanoseconds(a.st_mtim) == base::nanoseconds(b.st_mtim) &&
         base::nanoseconds(a.st_ctim) == base::nanoseconds(b.st_ctim) && a.st_mode == b.st_mode;
}

struct stat status_of(int fd, const FileAt& file) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) base::throw_errno(file.path());
  return status;
}

// Nothing when the file ends before.
std::optional<base::Digest> read_digest(int fd, std::uint64_t size, const base::CancelToken& cancel,
                                        const TakeContent& take) {
  if (!take || size > kReadAtOnce) return base::content_digest(fd, size, &cancel);
  thread_local std::vector<char> buffer(kReadAtOnce);
  const std::span bytes = std::span(buffer).first(static_cast<std::size_t>(size));
  if (base::read_at(fd, std::as_writable_bytes(bytes), 0) < size) return std::nullopt;
  const std::string_view content(bytes.data(), bytes.size());
  const base::Digest digest = base::content_digest(content);
  take(digest, content);
  return digest;
}

Error not_a_file_any_more(const std::string& path) {
  return Error(Code::io,
               fmt::format("{}: became something else than a file while it was read", base::printable(path)))
      .hint("wait until nothing writes there, then run the command again");
}

base::UniqueFd open_file(const FileAt& file) {
  constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  base::UniqueFd fd(::openat(file.folder, file.name.data(), kFlags));
  if (fd || errno == ENOENT) return fd;
  if (errno == ELOOP || errno == ENXIO) throw not_a_file_any_more(file.path());
  base::throw_errno(file.path());
}

// Nothing when the file changed meanwhile or just before.
std::optional<FileFacts> read_once(int fd, const FileAt& file, const struct stat* seen,
                                   const base::CancelToken& cancel, const TakeContent& take) {
  FileFacts facts;
  facts.read_from_ns = wall_clock_ns();
  facts.status = seen != nullptr ? *seen : status_of(fd, file);
  if (!S_ISREG(facts.status.st_mode)) throw not_a_file_any_more(file.path());
  if (changed_just_now(base::nanoseconds(facts.status.st_ctim), facts.read_from_ns)) return std::nullopt;
  std::optional<base::Digest> digest;
  try {
    digest = read_digest(fd, static_cast<std::uint64_t>(facts.status.st_size), cancel, take);
  } catch (Error& error) {
    error.add_trail("reading " + base::printable(file.path()));
    throw;
  }
  if (!digest || !same_status(facts.status, status_of(fd, file))) return std::nullopt;
  facts.digest = *digest;
  return facts;
}

}  // namespace

std::string FileAt::path() const {
  return std::string(shown).append("/").append(name);
}

Stamp stamp_of(const struct stat& status) {
  return {static_cast<std::uint64_t>(status.st_ino), base::nanoseconds(status.st_mtim),
          base::nanoseconds(status.st_ctim)};
}

bool is_untouched(const Entry& file, const struct stat& status) {
  return file.stamp == stamp_of(status) && file.size == static_cast<std::uint64_t>(status.st_size);
}

std::int64_t wall_clock_ns() {
  struct timespec now {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return base::nanoseconds(now);
}

void await_tick(std::int64_t moment_ns) {
  const std::int64_t wait = std::clamp<std::int64_t>(moment_ns + kClockTick - wall_clock_ns(), 0, kClockTick);
  std::this_thread::sleep_for(std::chrono::nanoseconds(wait));
}

std::optional<FileFacts> digest_file(const FileAt& file, const struct stat* seen,
                                     const base::CancelToken& cancel, const TakeContent& take) {
  for (int reading = 0; reading < kReadings; ++reading) {
    const base::UniqueFd fd = open_file(file);
    if (!fd) return std::nullopt;
    if (auto facts = read_once(fd.get(), file, reading == 0 ? seen : nullptr, cancel, take)) return facts;
    std::this_thread::sleep_for(std::chrono::nanoseconds(kClockTick));
  }
  throw Error(Code::io, fmt::format("{}: changed while it was read, {} times in a row",
                                    base::printable(file.path()), kReadings))
      .hint("wait until nothing writes there, then run the command again");
}

}  // namespace porter::sync
