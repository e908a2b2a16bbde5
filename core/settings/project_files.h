#pragma once
// Step one of loading a project: find and read all its files, with no meaning attached yet except what is
// needed to find them (module folders and dependencies) and to find plugins. Mistakes are collected, not
// thrown, so that make_project() can report all of them together. Runs no code of the project.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/world.h"
#include "core/settings/ini.h"

namespace porter::settings {

struct ModuleFile {
  std::string name;
  std::filesystem::path folder;  // absolute
  std::vector<std::string> depends;
  IniFile ini;
};

struct ProjectFiles {
  std::filesystem::path folder;  // absolute; holds project.ini
  std::filesystem::path home;    // the user's, empty when unknown
  IniFile project;
  std::vector<IniFile> defaults;     // the user's, then the site's; those that exist
  std::vector<ModuleFile> modules;   // dependencies first, each once, otherwise in the order of the files
  std::vector<std::string> plugins;  // names used by the modules, in that order, each once
  std::vector<std::filesystem::path> plugin_folders;  // [plugins] path: project, user, site; absolute
  std::vector<std::filesystem::path> trusted;         // [plugins] trust, likewise
  std::vector<base::Error> problems;
};

// The folder of project.ini: `start` or one above.
std::optional<std::filesystem::path> find_project_folder(const std::filesystem::path& start);
// Looks for project.ini in `start` and its parents. Throws base::Error(missing) when there is none. Site
// defaults are read from /etc/porter/porter.ini ($PORTER_SITE_CONFIG instead, when set), the user's from
// World::config_folder().
ProjectFiles read_project_files(const std::filesystem::path& start, const base::World& world);

}  // namespace porter::settings
