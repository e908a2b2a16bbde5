#include "core/agent/spare.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <exception>
#include <memory>

#include "core/agent/failpoint.h"

namespace porter::agent {
namespace {

constexpr const char* kTree = ".porter/spare";
constexpr const char* kSeal = ".porter/spare.seal";

// What a link of /proc leads to, "" when it cannot be told.
std::string target_of(int folder, const char* name) {
  std::array<char, PATH_MAX> target{};
  const ssize_t length = ::readlinkat(folder, name, target.data(), target.size());
  return length > 0 ? std::string(target.data(), static_cast<std::size_t>(length)) : std::string();
}

using Listing = std::unique_ptr<DIR, int (*)(DIR*)>;

Listing list_at(int folder, const char* name) {
  const int fd = ::openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return {fd < 0 ? nullptr : ::fdopendir(fd),
          [](DIR* open) { return open == nullptr ? 0 : ::closedir(open); }};
}

bool any_below(DIR* links, const std::string& place) {
  while (const dirent* entry = ::readdir(links)) {
    if (sync::is_at_or_below(target_of(::dirfd(links), entry->d_name), place)) return true;
  }
  return false;
}

// Working folder, root, program and open files of a process.
bool works_in(int process, const std::string& place) {
  for (const char* name : {"cwd", "root", "exe"}) {
    if (sync::is_at_or_below(target_of(process, name), place)) return true;
  }
  const Listing open = list_at(process, "fd");
  return open && any_below(open.get(), place);
}

// By another process than this one, as far as we may look into them.
bool in_use(const Beneath& folder) {
  const std::string self = fmt::format("/proc/self/fd/{}", folder.descriptor());
  const std::string place = target_of(AT_FDCWD, self.c_str());
  const Listing processes = list_at(AT_FDCWD, "/proc");
  if (place.empty() || !processes) return true;  // not known to be free
  const std::string own = std::to_string(::getpid());
  while (const dirent* entry = ::readdir(processes.get())) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9' || own == entry->d_name) continue;
    const base::UniqueFd process(
        ::openat(::dirfd(processes.get()), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (process && works_in(process.get(), place)) return true;
  }
  return false;
}

}  // namespace

bool make_spare(const SiteFolders& site, const std::string& id) {
  if (site.layout != Layout::releases || site.root.exists(kTree)) return false;
  site.mark(id);
  site.root.rename(".porter/manifests/" + id, kSeal);
  reach("spare: seal gone");
  site.sync_folder(".porter/manifests");
  const std::string tree = "releases/" + id;
  // Moving a folder changes its "..", which its owner must be allowed to.
  site.root.set_mode(tree, 0700);
  site.root.rename(tree, kTree, Replace::no);
  reach("spare: moved");
  site.remove_release(id);  // marks, and what else belonged to it
  return true;
}

std::shared_ptr<const sync::Seal> take_spare(const SiteFolders& site, const std::string& id) {
  const std::optional<Beneath> folder = site.root.try_folder(kTree);
  if (!folder || in_use(*folder)) return nullptr;
  const std::shared_ptr<const sync::Seal> seal = site.seals->read(site.porter, "spare.seal");
  if (!seal) {
    drop_spare(site);
    return nullptr;
  }
  site.root.rename(kTree, "releases/" + id, Replace::no);
  reach("spare: taken");
  site.root.remove_file(kSeal);
  return seal;
}

void foresee_spare(const SiteFolders& site) noexcept {
  try {
    site.seals->read(site.porter, "spare.seal");
  } catch (const std::exception&) {
    // take_spare() finds out why.
  }
}

void drop_spare(const SiteFolders& site) {
  site.remove_tree(kTree);
  site.root.remove_file(kSeal);
}

}  // namespace porter::agent
