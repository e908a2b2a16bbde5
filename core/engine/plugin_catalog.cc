#include "core/engine/plugin_catalog.h"

#include "core/base/error.h"
#include "core/plugin/doorway.h"

namespace porter::engine {
namespace {

settings::Type type_of(OptionType type) {
  switch (type) {
    case OptionType::text:
      return settings::Type::text;
    case OptionType::boolean:
      return settings::Type::boolean;
    case OptionType::integer:
      return settings::Type::integer;
    case OptionType::list:
      return settings::Type::list;
    case OptionType::path:
      return settings::Type::path;
    case OptionType::url:
      return settings::Type::url;
    case OptionType::secret:
      return settings::Type::secret;
    case OptionType::duration:
      return settings::Type::duration;
  }
  return settings::Type::text;
}

settings::PluginSchema schema_of(const plugin::PluginNote& note) {
  settings::PluginSchema schema;
  schema.name = note.name;
  for (const plugin::PluginOption& option : note.options) {
    settings::OptionSpec spec;
    spec.name = option.name;
    spec.type = type_of(option.type);
    spec.default_text = option.default_text;
    spec.help = option.help;
    schema.options.push_back(std::move(spec));
  }
  return schema;
}

}  // namespace

PluginCatalog::PluginCatalog(const base::World& world,
                             const std::vector<std::filesystem::path>& settings_folders,
                             const std::vector<std::string>& option_folders) {
  plugin::SearchSources sources;
  sources.options.assign(option_folders.begin(), option_folders.end());
  sources.settings = settings_folders;
  sources.executable = plugin::running_executable();
  path_ = plugin::search_path(world, sources);
}

const plugin::PluginNote& PluginCatalog::note(const std::string& name) {
  const auto known = notes_.find(name);
  if (known != notes_.end()) return known->second;
  plugin::PluginNote note = plugin::read_note(plugin::find_plugin(name, path_).file);
  plugin::Expectation expectation;
  expectation.name = name;
  expectation.services = plugin::sdk_services();
  plugin::check_note(note, expectation);
  return notes_.emplace(name, std::move(note)).first->second;
}

settings::PluginSchemas PluginCatalog::schemas() {
  return [this](const std::string& name) -> std::optional<settings::PluginSchema> {
    try {
      return schema_of(note(name));
    } catch (const base::Error&) {
      return std::nullopt;  // check() reports it, with the others
    }
  };
}

std::vector<plugin::PluginNote> PluginCatalog::check(const std::vector<std::string>& names) {
  std::vector<plugin::PluginNote> notes;
  std::vector<base::Error> problems;
  for (const std::string& name : names) {
    try {
      notes.push_back(note(name));
    } catch (const base::Error& problem) {
      problems.push_back(problem);
    }
  }
  if (!problems.empty()) throw base::Errors(std::move(problems));
  plugin::check_arguments(notes);
  return notes;
}

}  // namespace porter::engine
