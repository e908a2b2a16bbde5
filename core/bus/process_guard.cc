#include "core/bus/process_guard.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/text.h"

namespace porter::bus {
namespace {

struct Watched {
  int number;
  const char* name;
};
constexpr std::array kWatched = {Watched{SIGPIPE, "SIGPIPE"}, Watched{SIGINT, "SIGINT"},
                                 Watched{SIGTERM, "SIGTERM"}, Watched{SIGCHLD, "SIGCHLD"}};

// The umask without changing it, which umask(2) cannot (other threads make files meanwhile); proc(5).
std::optional<mode_t> current_umask() {
  std::ifstream status("/proc/self/status");
  const std::string key = "Umask:";
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key)) return static_cast<mode_t>(std::stoul(line.substr(key.size()), nullptr, 8));
  }
  return std::nullopt;
}

struct sigaction disposition_of(int signal) {
  struct sigaction action = {};
  if (::sigaction(signal, nullptr, &action) != 0) base::throw_errno("sigaction");
  return action;
}

bool same(const struct sigaction& a, const struct sigaction& b) {
  // SA_RESTORER is added by the C library; handler and sa_sigaction share their storage.
  return a.sa_handler == b.sa_handler && (a.sa_flags & SA_SIGINFO) == (b.sa_flags & SA_SIGINFO);
}

std::string folder_now() {
  std::error_code gone;
  const std::filesystem::path now = std::filesystem::current_path(gone);
  return gone ? "a folder that is gone" : now.string();
}

}  // namespace

struct ProcessGuard::State {
  std::mutex mutex;
  base::UniqueFd folder;
  struct stat folder_status = {};
  std::string folder_name;
  std::optional<mode_t> umask;
  std::array<struct sigaction, kWatched.size()> dispositions = {};
  std::vector<Owner> running;

  void capture();
  std::vector<std::string> restore();
  void restore_folder(std::vector<std::string>& changes);
  void restore_umask(std::vector<std::string>& changes);
  void restore_signals(std::vector<std::string>& changes);
  std::string suspects(const Owner& owner) const;
};

void ProcessGuard::State::capture() {
  folder.reset(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fstat(folder.get(), &folder_status) != 0) base::throw_errno("the working folder");
  folder_name = folder_now();
  umask = current_umask();
  for (std::size_t i = 0; i < kWatched.size(); ++i)
    dispositions[i] = disposition_of(kWatched[i].number);
}

void ProcessGuard::State::restore_folder(std::vector<std::string>& changes) {
  struct stat now = {};
  const bool there = ::stat(".", &now) == 0;
  if (there && now.st_dev == folder_status.st_dev && now.st_ino == folder_status.st_ino) return;
  const std::string changed = folder_now();
  const bool restored = ::fchdir(folder.get()) == 0;
  changes.push_back(fmt::format("changed the working folder to {}; it {} set back to {}", changed,
                                restored ? "was" : "could not be", folder_name));
}

void ProcessGuard::State::restore_umask(std::vector<std::string>& changes) {
  const std::optional<mode_t> now = current_umask();
  if (!umask || !now || *now == *umask) return;
  ::umask(*umask);
  changes.push_back(fmt::format("changed the umask to {:04o}; it was set back to {:04o}", *now, *umask));
}

void ProcessGuard::State::restore_signals(std::vector<std::string>& changes) {
  for (std::size_t i = 0; i < kWatched.size(); ++i) {
    if (same(disposition_of(kWatched[i].number), dispositions[i])) continue;
    ::sigaction(kWatched[i].number, &dispositions[i], nullptr);
    changes.push_back(fmt::format("changed what {} does; it was set back", kWatched[i].name));
  }
}

std::vector<std::string> ProcessGuard::State::restore() {
  std::vector<std::string> changes;
  restore_folder(changes);
  restore_umask(changes);
  restore_signals(changes);
  return changes;
}

std::string ProcessGuard::State::suspects(const Owner& owner) const {
  std::vector<std::string> names = {owner.describe()};
  for (const Owner& other : running) {
    const std::string name = other.describe();
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return base::join(names, " or ");
}

ProcessGuard::ProcessGuard() : state_(std::make_unique<State>()) {
  state_->capture();
}

ProcessGuard::~ProcessGuard() = default;

void ProcessGuard::enter(const Owner& owner) {
  const std::lock_guard guard(state_->mutex);
  state_->running.push_back(owner);
}

std::vector<std::string> ProcessGuard::leave(const Owner& owner) {
  const std::lock_guard guard(state_->mutex);
  const auto self = std::find(state_->running.begin(), state_->running.end(), owner);
  if (self != state_->running.end()) state_->running.erase(self);
  std::vector<std::string> changes = state_->restore();
  for (std::string& change : changes)
    change = state_->suspects(owner) + " " + change;
  return changes;
}

}  // namespace porter::bus
