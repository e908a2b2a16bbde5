#pragma once
// Everything a command touches of the outside, as one value, so that a whole command runs inside a test with
// fakes. Used from the main thread; the streams belong to whoever made the World.

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>

#include "core/base/clock.h"

namespace porter::base {

struct World {
  std::ostream* out = nullptr;  // results
  std::ostream* err = nullptr;  // talk
  std::map<std::string, std::string> environment;
  std::filesystem::path directory;  // where the user stands; absolute
  std::function<WallTime()> now;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  bool in_is_terminal = false;
  int terminal_width = 80;

  // The variable's value, nothing when unset or empty.
  std::optional<std::string> variable(const std::string& name) const;
  // The user's home folder: HOME, else the password database's. Throws Error(missing).
  std::filesystem::path home() const;
  // XDG base directories, each with "porter" at the end: configuration, cache, state (logs, journal, spool).
  std::filesystem::path config_folder() const;
  std::filesystem::path cache_folder() const;
  std::filesystem::path state_folder() const;
};

// The real one.
World process_world();

}  // namespace porter::base
