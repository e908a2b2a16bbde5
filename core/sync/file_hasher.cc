#include "core/sync/file_hasher.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <ctime>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"

namespace porter::sync {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t kQueueLimit = 64;
constexpr std::size_t kBufferBytes = 256U << 10U;
constexpr int kReadings = 3;

bool same_status(const struct stat& a, const struct stat& b) {
  return a.st_ino == b.st_ino && a.st_size == b.st_size && to_ns(a.st_mtim) == to_ns(b.st_mtim) &&
         to_ns(a.st_ctim) == to_ns(b.st_ctim) && a.st_mode == b.st_mode;
}

struct stat status_of(int fd, const std::string& path) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) base::throw_errno(path);
  return status;
}

// Hashes up to the end; gives how many bytes there were.
std::uint64_t hash_all(int fd, base::Sha256& hash, const base::CancelToken& cancel) {
  thread_local std::vector<std::byte> buffer(kBufferBytes);
  std::uint64_t total = 0;
  for (;;) {
    cancel.check();
    const std::size_t got = base::read_some(fd, buffer);
    if (got == 0) return total;
    total += got;
    hash.update(std::span(buffer).first(got));
  }
}

Error not_a_file_any_more(const std::string& path) {
  return Error(Code::io,
               fmt::format("{}: became something else than a file while it was read", base::printable(path)))
      .hint("wait until nothing writes there, then run the command again");
}

base::UniqueFd open_file(const HashJob& job) {
  constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  base::UniqueFd fd(::openat(job.folder->get(), job.name.c_str(), kFlags));
  if (fd || errno == ENOENT) return fd;
  if (errno == ELOOP || errno == ENXIO) throw not_a_file_any_more(job.path);
  base::throw_errno(job.path);
}

}  // namespace

std::int64_t wall_clock_ns() {
  struct timespec now {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return to_ns(now);
}

std::optional<FileFacts> read_consistently(const HashJob& job, const base::CancelToken& cancel) {
  for (int reading = 0; reading < kReadings; ++reading) {
    const base::UniqueFd fd = open_file(job);
    if (!fd) return std::nullopt;
    FileFacts facts;
    facts.read_from_ns = wall_clock_ns();
    facts.status = status_of(fd.get(), job.path);
    if (!S_ISREG(facts.status.st_mode)) throw not_a_file_any_more(job.path);
    base::Sha256 hash;
    const std::uint64_t bytes = base::while_doing("reading " + base::printable(job.path),
                                                  [&] { return hash_all(fd.get(), hash, cancel); });
    const bool stable = same_status(facts.status, status_of(fd.get(), job.path));
    const bool young = changed_just_now(to_ns(facts.status.st_ctim), facts.read_from_ns);
    if (stable && !young && bytes == static_cast<std::uint64_t>(facts.status.st_size)) {
      facts.digest = hash.finish();
      return facts;
    }
    std::this_thread::sleep_for(std::chrono::nanoseconds(kClockTick));
  }
  throw Error(Code::io, fmt::format("{}: changed while it was read, {} times in a row",
                                    base::printable(job.path), kReadings))
      .hint("wait until nothing writes there, then run the command again");
}

FileHasher::FileHasher(int threads, base::CancelToken cancel)
    : threads_(threads < 1 ? 1 : threads), cancel_(std::move(cancel)) {}

FileHasher::~FileHasher() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    queue_.clear();
  }
  changed_.notify_all();
  for (std::thread& worker : workers_)
    worker.join();
}

void FileHasher::push(HashJob job) {
  std::unique_lock lock(mutex_);
  if (workers_.size() < static_cast<std::size_t>(threads_)) workers_.emplace_back([this] { work(); });
  changed_.wait(lock, [this] { return queue_.size() < kQueueLimit || failure_ != nullptr; });
  rethrow();
  queue_.push_back(std::move(job));
  changed_.notify_all();
}

std::vector<HashResult> FileHasher::drain() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return (queue_.empty() && running_ == 0) || failure_ != nullptr; });
  rethrow();
  return std::exchange(results_, {});
}

void FileHasher::rethrow() {
  if (failure_ != nullptr) std::rethrow_exception(failure_);
}

void FileHasher::work() {
  try {
    take_jobs();
  } catch (...) {
    const std::lock_guard lock(mutex_);
    --running_;
    ending_ = true;
    if (failure_ == nullptr) failure_ = std::current_exception();
  }
  changed_.notify_all();
}

void FileHasher::take_jobs() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return !queue_.empty() || ending_; });
    if (ending_) return;
    HashJob job = std::move(queue_.front());
    queue_.pop_front();
    ++running_;
    changed_.notify_all();
    lock.unlock();
    auto facts = read_consistently(job, cancel_);
    job.folder.reset();
    lock.lock();
    results_.push_back({job.ref, std::move(facts)});
    --running_;
    changed_.notify_all();
  }
}

}  // namespace porter::sync
