#pragma once
// The digest of one file as it was at one moment.

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/sync/tree.h"

namespace porter::sync {

// A file by its name in an open folder; `shown` is that folder's path, for messages.
struct FileAt {
  int folder = -1;
  std::string_view name;  // which ends with a NUL
  const std::string& shown;
  std::string path() const;
};

// What one consistent reading of a file found.
struct FileFacts {
  struct stat status {};
  base::Digest digest{};
  std::int64_t read_from_ns = 0;  // wall clock when the reading began
};

std::int64_t wall_clock_ns();

Stamp stamp_of(const struct stat& status);
// Since it got its stamp, by which it has the content that the entry says.
bool is_untouched(const Entry& file, const struct stat& status);

// Clocks of file systems stand still for up to this (the kernel's tick, rounded up well). Whether a file
// changed while it was read can only be seen when its last change before lies further back.
constexpr std::int64_t kClockTick = 20'000'000;  // ns
inline bool changed_just_now(std::int64_t ctime_ns, std::int64_t now_ns) {
  return ctime_ns <= now_ns && now_ns < ctime_ns + kClockTick;
}

// Waits until the clock is a tick beyond that moment; never longer than a tick, whatever the clocks say.
void await_tick(std::int64_t moment_ns);

// Takes the whole content of a file that was read, unless it is larger than kReadAtOnce.
using TakeContent = std::function<void(const base::Digest& digest, std::string_view content)>;
constexpr std::size_t kReadAtOnce = 256U << 10U;

// Read until the file's status before and after are the same and it was not changed just before, three times
// at most, with a tick between. `seen` is its status before the first reading, when that is known. Nothing
// when the file is gone. Never opens anything but a regular file. Throws Error(io) and Interrupted. Any
// thread.
std::optional<FileFacts> digest_file(const FileAt& file, const struct stat* seen,
                                     const base::CancelToken& cancel, const TakeContent& take = {});

}  // namespace porter::sync
