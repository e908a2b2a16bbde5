#pragma once
// Reads files for a walk and computes their digests, on a few threads of its own. Internal to core/sync.

#include <sys/stat.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/base/cancel.h"
#include "core/base/fd.h"
#include "core/sync/tree.h"

namespace porter::sync {

using SharedFd = std::shared_ptr<const base::UniqueFd>;

// What one consistent reading of a file found.
struct FileFacts {
  struct stat status {};
  base::Digest digest{};
  std::int64_t read_from_ns = 0;  // wall clock when the reading began
};

struct HashJob {
  SharedFd folder;
  std::string name;
  std::string path;  // for messages
  EntryRef ref;
};

struct HashResult {
  EntryRef ref;
  std::optional<FileFacts> facts;  // nothing: the file vanished
};

std::int64_t wall_clock_ns();
inline std::int64_t to_ns(const struct timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

// Clocks of file systems stand still for up to this (the kernel's tick, rounded up well). Whether a file
// changed while it was read can only be seen when its last change before lies further back.
constexpr std::int64_t kClockTick = 20'000'000;  // ns
inline bool changed_just_now(std::int64_t ctime_ns, std::int64_t now_ns) {
  return ctime_ns <= now_ns && now_ns < ctime_ns + kClockTick;
}

// One file, read until its status before and after are the same and it was not changed just before, three
// times at most, with a tick between. Nothing when it is gone. Never opens anything but a regular file.
// Throws Error(io) and Interrupted.
std::optional<FileFacts> read_consistently(const HashJob& job, const base::CancelToken& cancel);

// Owned and fed by one thread. The destructor drops what is not begun and joins.
class FileHasher {
 public:
  FileHasher(int threads, base::CancelToken cancel);
  ~FileHasher();
  FileHasher(const FileHasher&) = delete;
  FileHasher& operator=(const FileHasher&) = delete;

  // Waits while the queue is full, which bounds how many folders are held open. Throws the first error of a
  // worker.
  void push(HashJob job);
  // Waits for all pushed jobs and hands over their results, in no order. Throws like push(). More may be
  // pushed after.
  std::vector<HashResult> drain();

 private:
  void work();
  void take_jobs();
  void rethrow();

  int threads_;
  base::CancelToken cancel_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<HashJob> queue_;
  std::vector<HashResult> results_;
  std::size_t running_ = 0;
  bool ending_ = false;
  std::exception_ptr failure_;
  std::vector<std::thread> workers_;
};

}  // namespace porter::sync
