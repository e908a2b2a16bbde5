#pragma once
// Conveniences for hooks and plugins, on top of Module and its services. Inline: part of the plugin, not of
// the host.

#include <string>
#include <string_view>

#include <porter/module.h>
#include <porter/services.h>

namespace porter {

// Copies config/<config>/<file> of the module into the tree that is being deployed (or to `destination` below
// it). For SIG_SOURCE_POST_SEND handlers; [config_files] does the same with no code.
inline void copy_config_file(Module& module, const std::string& file, const std::string& destination = "") {
  const std::string to = module.destpath() + "/" + (destination.empty() ? file : destination);
  module.service<Target>().upload(module.get_config_dir() + "/" + file, to);
}

inline void log(Module& module, std::string_view text, LogLevel level = LogLevel::info) {
  module.service<Log>().write(level, text);
}

}  // namespace porter
