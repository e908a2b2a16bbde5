#include "core/base/world.h"

#include <pwd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <iostream>
#include <string_view>

#include "core/base/error.h"

extern char** environ;

namespace porter::base {
namespace {

int width_of_terminal(int fd) {
  winsize size{};
  return ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

std::optional<std::string> World::variable(const std::string& name) const {
  const auto found = environment.find(name);
  if (found == environment.end() || found->second.empty()) return std::nullopt;
  return found->second;
}

std::filesystem::path World::home() const {
  if (const auto home = variable("HOME")) return *home;
  const passwd* user = ::getpwuid(::getuid());
  if (user == nullptr) throw Error(Code::missing, "HOME is not set and this user has no home folder");
  return user->pw_dir;
}

std::filesystem::path World::config_folder() const {
  const auto base = variable("XDG_CONFIG_HOME");
  return (base ? std::filesystem::path(*base) : home() / ".config") / "porter";
}

std::filesystem::path World::cache_folder() const {
  const auto base = variable("XDG_CACHE_HOME");
  return (base ? std::filesystem::path(*base) : home() / ".cache") / "porter";
}

std::filesystem::path World::state_folder() const {
  const auto base = variable("XDG_STATE_HOME");
  return (base ? std::filesystem::path(*base) : home() / ".local" / "state") / "porter";
}

World process_world() {
  World world;
  world.out = &std::cout;
  world.err = &std::cerr;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos)
      world.environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  world.directory = std::filesystem::current_path();
  world.now = [] { return std::chrono::system_clock::now(); };
  world.out_is_terminal = ::isatty(STDOUT_FILENO) == 1;
  world.err_is_terminal = ::isatty(STDERR_FILENO) == 1;
  world.in_is_terminal = ::isatty(STDIN_FILENO) == 1;
  world.terminal_width = width_of_terminal(STDERR_FILENO);
  return world;
}

}  // namespace porter::base
