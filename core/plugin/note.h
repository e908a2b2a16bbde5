#pragma once
// What a plugin says about itself in its file, read before any of its code runs: the ELF section
// ".porter.plugin", NUL-separated key=value entries written by the macros of sdk/include/porter/plugin.h.
// `--help`, validation of the ini, `porter-admin plugins` and the loader use it. Pure reading: no dlopen.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <porter/plugin.h>

namespace porter::plugin {

struct PluginOption {
  std::string name;
  OptionType type = OptionType::text;
  std::string default_text;
  std::string help;
};

struct PluginArgument {
  std::string name;  // without the leading "--"
  ArgumentType type = ArgumentType::flag;
  std::string help;
};

struct PluginNote {
  std::filesystem::path path;
  std::string kind;  // "plugin" or "deployment"
  std::string name;
  std::string version;
  std::string summary;
  std::string sdk;  // SDK version it was built with
  std::string fingerprint;
  std::vector<std::string> needs;     // service ids
  std::vector<PluginOption> options;  // both by name: compilers do not keep the order of the source
  std::vector<PluginArgument> arguments;
};

// Both throw base::Error(plugin_refused) with the path as location: not an ELF file, truncated, built for
// another machine, no note, a malformed note.
PluginNote read_note(const std::filesystem::path& file);
// From an open file, whatever its position.
PluginNote read_note(int descriptor, const std::filesystem::path& shown_path);

// The section's bytes.
PluginNote parse_note(std::string_view section, const std::filesystem::path& shown_path);

}  // namespace porter::plugin
