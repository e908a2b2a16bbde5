#include "core/agent/disk_sync.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>

#include "core/base/crew.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/text.h"

namespace porter::agent {
namespace {

constexpr std::size_t kFew = 64;
constexpr std::uint64_t kMuchUnwritten = 256U << 20U;
constexpr std::size_t kMeminfoLimit = 64U << 10U;
// Waiting for a disk takes no processor, and those who wait at the same time share a commit of the journal.
constexpr int kSyncsAtOnce = 16;

std::uint64_t unwritten_here() {
  try {
    return unwritten_bytes(base::read_file("/proc/meminfo", kMeminfoLimit));
  } catch (const base::Error&) {
    return 0;  // no /proc
  }
}

// False when it may not be opened.
bool sync_one(const Beneath& tree, const std::string& path) {
  const base::UniqueFd fd(open_beneath(tree.descriptor(), path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  if (!fd && errno == EACCES) return false;
  if (!fd || ::fsync(fd.get()) != 0) throw base::system_error(tree.label(path), errno);
  return true;
}

}  // namespace

bool is_sooner_singly(std::size_t paths) {
  if (paths <= kFew || paths > kSyncSingly) return paths <= kFew;
  return unwritten_here() > kMuchUnwritten;
}

bool sync_singly(const Beneath& tree, const std::vector<std::string>& paths) {
  std::atomic<bool> all{true};
  base::Crew crew(kSyncsAtOnce, {});
  for (const std::string& path : paths)
    crew.add([&tree, &all, &path] {
      if (!sync_one(tree, path)) all = false;
    });
  crew.finish();
  return all;
}

// "Dirty:             13284 kB"
std::uint64_t unwritten_bytes(std::string_view meminfo) {
  std::uint64_t bytes = 0;
  for (const std::string& line : base::split(meminfo, '\n')) {
    if (!line.starts_with("Dirty:") && !line.starts_with("Writeback:")) continue;
    const std::size_t digits = line.find_first_of("0123456789");
    std::uint64_t kib = 0;
    if (digits == std::string::npos) continue;
    std::from_chars(line.data() + digits, line.data() + line.size(), kib);
    bytes += kib * 1024;
  }
  return bytes;
}

}  // namespace porter::agent
