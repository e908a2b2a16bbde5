// Resolving a path below a held folder, with the kernel's help or without.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "core/agent/beneath.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace porter::agent {
namespace {

std::atomic<Resolver> chosen{Resolver::automatic};

int call_openat2(int folder, const char* path, int flags, mode_t mode) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags);
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  for (int tries = 0;; ++tries) {
    const long fd = ::syscall(SYS_openat2, folder, path, &how, sizeof how);
    if (fd >= 0) return static_cast<int>(fd);
    // EAGAIN: somebody renamed folders meanwhile and the kernel could not be sure.
    if (errno != EINTR && (errno != EAGAIN || tries > 100)) return -1;
  }
}

// Kernels before 5.6 lack it (ENOSYS), some sandboxes forbid it (EPERM).
bool have_openat2() {
  static const bool have = [] {
    const base::UniqueFd probe(call_openat2(AT_FDCWD, ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0));
    return probe.valid() || (errno != ENOSYS && errno != EPERM);
  }();
  return have && chosen.load() == Resolver::automatic;
}

// O_DIRECTORY on a link says ENOTDIR, the kernel's own resolver ELOOP.
int open_component(int folder, const std::string& name, int flags, mode_t mode) {
  const int fd = ::openat(folder, name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, mode);
  if (fd >= 0 || errno != ENOTDIR) return fd;
  struct stat info {};
  const bool link = ::fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode);
  errno = link ? ELOOP : ENOTDIR;
  return -1;
}

int open_by_components(int folder, std::string_view path, int flags, mode_t mode) {
  base::UniqueFd held;
  int at = folder;
  for (;;) {
    const std::size_t slash = path.find('/');
    const std::string name(path.substr(0, slash));
    if (slash == std::string_view::npos) return open_component(at, name, flags, mode);
    base::UniqueFd next(open_component(at, name, O_PATH | O_DIRECTORY, 0));
    if (!next) return -1;
    held = std::move(next);
    at = held.get();
    path.remove_prefix(slash + 1);
  }
}

}  // namespace

void use_resolver(Resolver resolver) {
  chosen.store(resolver);
}

int open_beneath(int folder, const std::string& path, int flags, mode_t mode) {
  const std::string& name = path.empty() ? std::string(".") : path;
  if (have_openat2()) return call_openat2(folder, name.c_str(), flags | O_CLOEXEC, mode);
  return open_by_components(folder, name, flags, mode);
}

void check_relative(std::string_view path) {
  const auto refuse = [&] {
    throw base::Error(base::Code::refused,
                      fmt::format("\"{}\" is no path inside a folder", base::printable(path)));
  };
  if (path.empty() || path.find('\0') != std::string_view::npos) refuse();
  for (std::string_view rest = path;;) {
    const std::size_t slash = rest.find('/');
    const std::string_view name = rest.substr(0, slash);
    if (name.empty() || name == "." || name == "..") refuse();
    if (slash == std::string_view::npos) return;
    rest.remove_prefix(slash + 1);
  }
}

}  // namespace porter::agent
