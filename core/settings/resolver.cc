#include "core/settings/resolver.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace porter::settings {
namespace {

using base::Code;
using base::Error;

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() > end.size() && text.substr(text.size() - end.size()) == end;
}

}  // namespace

Resolver::Resolver(const Project& project, const Module& module, const Host* host, std::string config)
    : project_(project), module_(module), host_(host), config_(std::move(config)) {
  for (const ModuleFile& file : project.files->modules) {
    if (file.name == module.name) layers_.push_back(&file.ini);
  }
  layers_.push_back(&project.files->project);
  for (const IniFile& file : project.files->defaults)
    layers_.push_back(&file);
  if (host != nullptr) {
    suffixes_.push_back(canonical(host->name));
    for (const std::string& group : host->groups)
      suffixes_.push_back(canonical(group));
  }
  if (!config_.empty()) suffixes_.push_back(canonical(config_));
  suffixes_.emplace_back();
}

ModuleSettings Resolver::resolve() const {
  ModuleSettings settings;
  settings.module_ = module_.name;
  settings.host_ = host_->name;
  settings.config_ = config_;
  settings.folder_ = module_.folder;
  settings.config_files_ = module_.config_files;
  for (const SectionSpec& spec : core_sections()) {
    const bool of_module =
        std::find(spec.files.begin(), spec.files.end(), FileKind::module) != spec.files.end();
    if (of_module && spec.supported && spec.name.back() != ':') fill(settings, spec.name, spec.options);
  }
  for (const Ref& ref : module_.refs)
    fill(settings, "release:" + ref.name, find_section_spec("release:")->options);
  for (const PluginSection& plugin : module_.plugins) {
    fill(settings, "plugin:" + plugin.name, plugin_options(plugin.name));
  }
  settings.path_ = target_path(settings);
  settings.entries_["module"]["path"].setting.text = settings.path_;
  settings.become_ = settings.option("module", "become").text;
  if (settings.become_.empty()) settings.become_ = host_->become;
  return settings;
}

void Resolver::fill(ModuleSettings& settings, const std::string& section,
                    const std::vector<OptionSpec>& options) const {
  const std::map<std::string, const Option*> decided = decide(section, options);
  for (const OptionSpec& spec : options) {
    ModuleSettings::Entry entry{
        spec.name, {spec.default_text, {}}, !spec.default_text.empty(), spec.type == Type::secret};
    if (const auto found = decided.find(spec.name); found != decided.end()) {
      entry.setting = {found->second->text, found->second->where};
      entry.set = true;
    }
    settings.entries_[section][canonical(spec.name)] = std::move(entry);
  }
}

std::optional<Setting> Resolver::find(const std::string& section, const std::vector<OptionSpec>& options,
                                      const OptionSpec& spec) const {
  const std::map<std::string, const Option*> decided = decide(section, options);
  const auto found = decided.find(spec.name);
  if (found == decided.end()) return std::nullopt;
  return Setting{found->second->text, found->second->where};
}

std::map<std::string, const Option*> Resolver::decide(const std::string& section,
                                                      const std::vector<OptionSpec>& options) const {
  std::map<std::string, const Option*> decided;
  for (const IniFile* file : layers_) {
    if (const Section* found = find_section(*file, section)) decide_in(*found, options, decided);
  }
  return decided;
}

void Resolver::decide_in(const Section& section, const std::vector<OptionSpec>& options,
                         std::map<std::string, const Option*>& decided) const {
  std::map<std::string, std::pair<std::size_t, const Option*>> best;
  for (const Option& option : section.options) {
    const std::optional<Reading> reading = read_option_name(options, option.name, *project_.suffixes);
    const std::optional<std::size_t> strength = reading ? rank(*reading) : std::nullopt;
    if (!strength) continue;
    const auto [held, fresh] = best.try_emplace(reading->spec->name, *strength, &option);
    if (!fresh && *strength < held->second.first) held->second = {*strength, &option};
  }
  for (const auto& [name, found] : best)
    decided.emplace(name, found.second);  // a nearer file's stays
}

std::optional<std::size_t> Resolver::rank(const Reading& reading) const {
  const bool fits =
      reading.spec->suffix == Suffix::any || reading.suffix.empty() || reading.suffix == canonical(config_);
  const auto found = std::find(suffixes_.begin(), suffixes_.end(), reading.suffix);
  if (!fits || found == suffixes_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - suffixes_.begin());
}

std::vector<OptionSpec> Resolver::plugin_options(const std::string& plugin) const {
  if (const auto schema = project_.schemas.find(plugin); schema != project_.schemas.end())
    return schema->second.options;
  std::set<std::string> names;
  for (const IniFile* file : layers_) {
    const Section* section = find_section(*file, "plugin:" + plugin);
    if (section == nullptr) continue;
    for (const Option& option : section->options) {
      std::string name = canonical(option.name);
      for (const std::set<std::string>& known : {project_.suffixes->places, project_.suffixes->configs}) {
        for (const std::string& suffix : known) {
          if (ends_with(name, "_" + suffix)) name.resize(name.size() - suffix.size() - 1);
        }
      }
      names.insert(name);
    }
  }
  std::vector<OptionSpec> options;
  for (const std::string& name : names)
    options.push_back({name, Type::text, "", "", {}, Suffix::any});
  return options;
}

std::string Resolver::target_path(const ModuleSettings& settings) const {
  const std::optional<Setting> setting = settings.find("module", "path");
  if (!setting || setting->text.empty()) {
    throw Error(Code::missing,
                fmt::format("module \"{}\" has no path for host \"{}\"", module_.name, host_->name))
        .at(setting ? setting->where : module_.where)
        .hint(fmt::format("say where it goes: path = /srv/{} in [module], or path-{}", module_.name,
                          host_->name));
  }
  std::filesystem::path path = setting->text;
  if (path.is_relative()) {
    if (!host_->local) {
      throw Error(Code::bad_value, fmt::format("path: expected an absolute path for host \"{}\", got \"{}\"",
                                               host_->name, setting->text))
          .at(setting->where)
          .hint("only on a local: host may it count from the project's folder");
    }
    path = project_.folder / path;
  }
  std::string text = path.lexically_normal().string();
  while (text.size() > 1 && text.back() == '/')
    text.pop_back();
  return text;
}

}  // namespace porter::settings
