#pragma once
// The plugins that the search path offers, by their notes: nothing is loaded. Feeds validation of the ini,
// --help and `porter-admin plugins`. Used on one thread.

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/world.h"
#include "core/plugin/finder.h"
#include "core/plugin/note.h"
#include "core/settings/schema.h"

namespace porter::engine {

class PluginCatalog {
 public:
  // `settings_folders`: [plugins] path of the project, absolute; `option_folders`: --plugin-path.
  PluginCatalog(const base::World& world, const std::vector<std::filesystem::path>& settings_folders,
                const std::vector<std::string>& option_folders);

  // The note of a plugin. Throws base::Error(missing) with the folders searched, base::Error(plugin_refused).
  const plugin::PluginNote& note(const std::string& name);
  // What make_project() asks; a plugin that is missing or refused has no schema here and is reported by
  // check().
  settings::PluginSchemas schemas();
  // Throws base::Errors for all of `names` that cannot be had, and base::Error(plugin_refused) when two of
  // them declare one argument.
  std::vector<plugin::PluginNote> check(const std::vector<std::string>& names);
  const plugin::SearchPath& path() const { return path_; }

 private:
  plugin::SearchPath path_;
  std::map<std::string, plugin::PluginNote> notes_;
};

}  // namespace porter::engine
