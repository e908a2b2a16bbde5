#include "core/cli/load_project.h"

#include "core/engine/plugin_catalog.h"

namespace porter::cli {
namespace {

std::optional<settings::ProjectFiles> files_here(const base::World& world) {
  try {
    return settings::read_project_files(world.directory, world);
  } catch (const base::Error& error) {
    if (error.code() == base::Code::missing) return std::nullopt;
    throw;
  }
}

}  // namespace

settings::Project load_project(const base::World& world, const std::vector<std::string>& plugin_path) {
  settings::ProjectFiles files = settings::read_project_files(world.directory, world);
  engine::PluginCatalog catalog(world, files.plugin_folders, plugin_path);
  return settings::make_project(std::move(files), catalog.schemas());
}

std::optional<settings::Project> try_load_project(const base::World& world) {
  if (!files_here(world)) return std::nullopt;
  return load_project(world, {});
}

std::vector<std::filesystem::path> plugin_folders_here(const base::World& world) {
  const std::optional<settings::ProjectFiles> files = files_here(world);
  return files ? files->plugin_folders : std::vector<std::filesystem::path>();
}

}  // namespace porter::cli
