#pragma once
// Conveniences for hooks and plugins, on top of Module and its services. Inline: part of the plugin, not of
// the host.

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <porter/module.h>
#include <porter/services.h>

namespace porter {

// Copies config/<config>/<file> of the module into the tree that is being deployed (or to `destination` below
// it). For SIG_SOURCE_POST_SEND handlers; [config_files] does the same with no code.
inline void copy_config_file(Module& module, const std::string& file, const std::string& destination = "") {
  const std::string to = module.destpath() + "/" + (destination.empty() ? file : destination);
  module.service<Target>().upload(module.get_config_dir() + "/" + file, to);
}

// Installs config/<config>/<file> of the module at an absolute path outside of the tree; see Undo::install.
void install_file(Module& module, const std::string& file, const std::string& path, unsigned mode = 0);

inline void on_undo(Module& module, const std::vector<std::string>& arguments) {
  module.service<Undo>().on_undo(arguments);
}

inline void log(Module& module, std::string_view text, LogLevel level = LogLevel::info) {
  module.service<Log>().write(level, text);
}

inline void install_file(Module& module, const std::string& file, const std::string& path, unsigned mode) {
  const std::string local = module.get_config_dir() + "/" + file;
  std::ifstream in(local, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(in), {}};
  if (!in.is_open() || in.bad()) throw std::runtime_error(local + ": cannot be read");
  module.service<Undo>().install(content, path, mode);
}

}  // namespace porter
