#include "core/settings/project.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <system_error>

#include "core/base/text.h"
#include "core/settings/host_builder.h"
#include "core/settings/module_reader.h"
#include "core/settings/resolver.h"
#include "core/settings/select.h"
#include "core/settings/target.h"
#include "core/settings/validate.h"

namespace porter::settings {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Error;

// a-z, 0-9 and single dashes.
std::string slug(const std::string& text) {
  std::string out;
  for (const char c : base::lower(text)) {
    const bool kept = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (kept) out += c;
    if (!kept && !out.empty() && out.back() != '-') out += '-';
  }
  if (!out.empty() && out.back() == '-') out.pop_back();
  return out;
}

class ProjectMaker {
 public:
  ProjectMaker(ProjectFiles files, const PluginSchemas& schemas)
      : files_(std::make_shared<const ProjectFiles>(std::move(files))), problems_(files_->problems) {
    project_.files = files_;
    for (const std::string& plugin : files_->plugins) {
      std::optional<PluginSchema> schema = schemas ? schemas(plugin) : std::nullopt;
      if (schema) project_.schemas.emplace(plugin, std::move(*schema));
    }
  }

  Project make() && {
    make_head();
    Hosts hosts = build_hosts(*files_, problems_);
    project_.hosts = std::move(hosts.hosts);
    project_.groups = std::move(hosts.groups);
    for (const Section& section : files_->project.sections)
      add_config(section);
    for (const ModuleFile& file : files_->modules) {
      project_.modules.push_back(read_module(file, problems_));
      add_config_folders(file.folder);
    }
    make_suffixes();
    validate_files();
    check_config_hosts();
    check_module_values();
    check_module_folders();
    read_deploy();
    if (!problems_.empty()) throw base::Errors(limited(sorted(std::move(problems_))));
    return std::move(project_);
  }

 private:
  void report(Error&& error) { problems_.push_back(std::move(error)); }

  void make_head() {
    project_.folder = files_->folder;
    project_.plugins = files_->plugins;
    project_.plugin_folders = files_->plugin_folders;
    project_.trusted = files_->trusted;
    const Section* section = find_section(files_->project, "project");
    if (section == nullptr && !has_problem(files_->project)) {
      report(Error(Code::missing, "there is no [project] section")
                 .at(files_->project.file)
                 .hint("[project] says depends = MODULE, MODULE"));
    }
    const Option* name = section == nullptr ? nullptr : find_option(*section, "name");
    project_.name = name == nullptr ? files_->folder.filename().string() : name->text;
    project_.id = slug(project_.name);
    if (project_.id.empty()) project_.id = slug(files_->folder.filename().string());
    if (project_.id.empty()) project_.id = "project";
  }

  // A file that could not be read whole may have had what seems to be missing.
  bool has_problem(const IniFile& file) const {
    return std::any_of(problems_.begin(), problems_.end(),
                       [&](const Error& error) { return error.where().file == file.file; });
  }

  void add_config(const Section& section) {
    if (section.name.rfind("config:", 0) != 0) return;
    Config config;
    config.name = section.name.substr(7);
    config.where = section.where;
    if (!config.name.empty() && !is_safe_name(config.name)) {
      report(Error(Code::bad_value, fmt::format("\"{}\" is no name for a config", config.name))
                 .at(section.where)
                 .hint("letters, digits and . - _ are allowed, with no - at the start"));
    }
    if (const Option* hosts = find_option(section, "hosts")) {
      config.hosts = as_list(*hosts);
      config.hosts_where = hosts->where;
    }
    const Option* confirm = find_option(section, "confirm");
    config.confirm = confirm != nullptr && base::parse_boolean(confirm->text).value_or(true);
    project_.configs.push_back(std::move(config));
  }

  void add_config_folders(const fs::path& module_folder) {
    std::error_code ignored;
    for (const fs::directory_entry& entry : fs::directory_iterator(module_folder / "config", ignored)) {
      const std::string name = entry.path().filename().string();
      if (entry.is_directory(ignored) && is_safe_name(name)) config_folders_.insert(name);
    }
    project_.config_folders.assign(config_folders_.begin(), config_folders_.end());
  }

  void make_suffixes() {
    Suffixes suffixes;
    for (const Host& host : project_.hosts)
      suffixes.places.insert(canonical(host.name));
    for (const Group& group : project_.groups)
      suffixes.places.insert(canonical(group.name));
    for (const std::string& name : known_configs(project_))
      suffixes.configs.insert(canonical(name));
    project_.suffixes = std::make_shared<const Suffixes>(std::move(suffixes));
  }

  void validate_files() {
    const std::set<std::string> used(files_->plugins.begin(), files_->plugins.end());
    const ValidationContext context{project_.schemas, used, *project_.suffixes};
    validate_file(files_->project, FileKind::project, context, problems_);
    for (const ModuleFile& file : files_->modules)
      validate_file(file.ini, FileKind::module, context, problems_);
    for (const IniFile& file : files_->defaults)
      validate_file(file, FileKind::defaults, context, problems_);
  }

  void check_config_hosts() {
    for (const Config& config : project_.configs) {
      if (config.hosts.empty()) continue;
      try {
        select_hosts(project_, config.hosts, config.name);
      } catch (Error& error) {
        report(Error(error.code(), fmt::format("[config:{}] hosts: {}", config.name, error.message()))
                   .at(config.hosts_where)
                   .hint(error.hint_text()));
      }
    }
  }

  // What a type cannot say about options of [module], in every file that may have them.
  void check_module_values() {
    check_module_values(files_->project);
    for (const ModuleFile& file : files_->modules)
      check_module_values(file.ini);
    for (const IniFile& file : files_->defaults)
      check_module_values(file);
  }

  void check_module_values(const IniFile& file) {
    const Section* section = find_section(file, "module");
    if (section == nullptr) return;
    const std::vector<OptionSpec>& specs = find_section_spec("module")->options;
    for (const Option& option : section->options) {
      const std::optional<Reading> reading = read_option_name(specs, option.name, *project_.suffixes);
      if (!reading) continue;
      if (reading->spec->name == "keep_releases" && base::parse_integer(option.text) == 0) {
        report(
            Error(Code::bad_value, fmt::format("{}: expected at least 1, got {}", option.name, option.text))
                .at(option.where));
      }
      if (reading->spec->name == "become" && !option.text.empty() && !is_safe_name(option.text)) {
        report(Error(Code::bad_value,
                     fmt::format("{}: \"{}\" is no user name that can be used", option.name, option.text))
                   .at(option.where)
                   .hint("letters, digits and . - _ are allowed, with no - at the start"));
      }
    }
  }

  void check_module_folders() {
    const Section* section = find_section(files_->project, "modules");
    if (section == nullptr) return;
    for (const Option& option : section->options) {
      if (option.text.empty()) {
        report(Error(Code::bad_value, fmt::format("{}: expected a folder, got nothing", option.name))
                   .at(option.where));
      }
    }
  }

  // The project's own word counts, then the user's, then the site's, then the built-in default.
  Option deploy_option(const OptionSpec& spec) const {
    std::vector<const IniFile*> files = {&files_->project};
    for (const IniFile& file : files_->defaults)
      files.push_back(&file);
    for (const IniFile* file : files) {
      const Section* section = find_section(*file, "deploy");
      const Option* option = section == nullptr ? nullptr : find_option(*section, spec.name);
      if (option != nullptr) return *option;
    }
    return {spec.name, spec.default_text, {}};
  }

  // A duration of [deploy]; `allowed` says what `fits` accepts.
  template <class Fits>
  std::chrono::milliseconds deploy_duration(const char* name, const char* allowed, Fits fits) {
    const Option option = deploy_option(*find_option_spec(find_section_spec("deploy")->options, name));
    std::chrono::milliseconds found{0};
    try {
      found = as_duration(option);
    } catch (const Error&) {
      return found;  // validate_files() has said so
    }
    if (!fits(found)) {
      report(Error(Code::bad_value, fmt::format("{}: expected {}, got {}", name, allowed, option.text))
                 .at(option.where));
    }
    return found;
  }

  void read_deploy() {
    using namespace std::chrono_literals;
    constexpr std::chrono::hours year(365 * 24);
    project_.handler_timeout = deploy_duration("handler_timeout", "more than 0 and at most 365d",
                                               [&](auto time) { return time.count() > 0 && time <= year; });
    project_.idle_timeout = deploy_duration("idle_timeout", "at least 1s and at most 1h",
                                            [](auto time) { return time >= 1s && time <= 1h; });
  }

  // By file in the order of reading, then by line.
  std::vector<Error> sorted(std::vector<Error> problems) const {
    std::map<std::string, std::size_t> ranks{{files_->project.file, 0}};
    for (const ModuleFile& file : files_->modules)
      ranks.emplace(file.ini.file, ranks.size());
    for (const IniFile& file : files_->defaults)
      ranks.emplace(file.file, ranks.size());
    std::stable_sort(problems.begin(), problems.end(), [&](const Error& a, const Error& b) {
      const auto rank = [&](const Error& error) {
        const auto found = ranks.find(error.where().file);
        return found == ranks.end() ? ranks.size() : found->second;
      };
      return std::pair(rank(a), a.where().line) < std::pair(rank(b), b.where().line);
    });
    return problems;
  }

  // Nobody reads thousands of messages.
  static std::vector<Error> limited(std::vector<Error> problems) {
    constexpr std::size_t most = 200;
    if (problems.size() <= most) return problems;
    const std::size_t more = problems.size() - most;
    problems.erase(problems.begin() + most, problems.end());
    problems.push_back(Error(problems.back().code(), fmt::format("{} more problems are not shown", more)));
    return problems;
  }

  std::shared_ptr<const ProjectFiles> files_;
  std::vector<Error> problems_;
  Project project_;
  std::set<std::string> config_folders_;
};

template <class Item>
const Item* find_named(const std::vector<Item>& items, const std::string& name) {
  const auto found =
      std::find_if(items.begin(), items.end(), [&](const Item& item) { return item.name == name; });
  return found == items.end() ? nullptr : &*found;
}

}  // namespace

const Host* Project::find_host(const std::string& host) const {
  return find_named(hosts, host);
}
const Module* Project::find_module(const std::string& module) const {
  return find_named(modules, module);
}
const Config* Project::find_config(const std::string& config) const {
  return find_named(configs, config);
}

ModuleSettings Project::settings_for(const Module& module, const Host& host,
                                     const std::string& config) const {
  return Resolver(*this, module, &host, config).resolve();
}

Project make_project(ProjectFiles files, const PluginSchemas& schemas) {
  return ProjectMaker(std::move(files), schemas).make();
}

}  // namespace porter::settings
