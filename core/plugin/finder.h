#pragma once
// Where plugins are looked for. `my.private.plugin` is my.private.plugin.so or my/private/plugin.so in the
// first folder of the search path that has one of them. Nothing is loaded.

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/world.h"

namespace porter::plugin {

struct SearchFolder {
  std::filesystem::path path;  // absolute
  std::string origin;          // "--plugin-path", "PORTER_PLUGIN_PATH", "[plugins] path", "user", "installed"
};
using SearchPath = std::vector<SearchFolder>;

struct SearchSources {
  std::vector<std::filesystem::path> options;  // --plugin-path, in order; relative to world.directory
  std::vector<std::filesystem::path>
      settings;                      // [plugins] path; made absolute by the settings, else as above
  std::filesystem::path executable;  // of this program: <executable>/../lib/porter/plugins
};

// options, $PORTER_PLUGIN_PATH (colon list, empty pieces dropped), settings, ~/.local/lib/porter/plugins,
// <executable>/../lib/porter/plugins. A folder that comes twice is kept where it comes first; folders that do
// not exist stay, so that a failed search names them.
SearchPath search_path(const base::World& world, const SearchSources& sources);

// This program's own file. Throws base::Error(io).
std::filesystem::path running_executable();

struct FoundPlugin {
  std::string name;
  std::filesystem::path file;
  std::string origin;
  bool shadowed = false;  // an earlier folder has a plugin of this name
};

// The plugin's file. Throws base::Error(bad_value) for something that is no dotted name, and
// base::Error(missing) that lists the folders and the nearest name.
FoundPlugin find_plugin(const std::string& name, const SearchPath& path);

// Every *.so on the path in search order, by name within a folder.
std::vector<FoundPlugin> list_plugins(const SearchPath& path);

}  // namespace porter::plugin
