#pragma once
// The project where the user stands, for commands that need no worker.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/base/world.h"
#include "core/settings/project.h"

namespace porter::cli {

// Throws base::Error and base::Errors.
settings::Project load_project(const base::World& world, const std::vector<std::string>& plugin_path);
// Nothing when there is no project here; a broken one still throws.
std::optional<settings::Project> try_load_project(const base::World& world);
// [plugins] path of the project here, and of the user's and site's defaults; empty outside a project.
std::vector<std::filesystem::path> plugin_folders_here(const base::World& world);

}  // namespace porter::cli
