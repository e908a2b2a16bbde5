#include "core/settings/project_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <system_error>

#include "core/base/files.h"
#include "core/base/suggest.h"
#include "core/base/text.h"
#include "core/settings/value.h"

namespace porter::settings {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Error;
using base::Location;

constexpr std::string_view plugin_prefix = "plugin:";

fs::path require_project_folder(const fs::path& start) {
  if (const std::optional<fs::path> folder = find_project_folder(start)) return *folder;
  throw Error(Code::missing, fmt::format("{}: no project.ini here or in a folder above",
                                         fs::absolute(start).lexically_normal().string()))
      .hint("porter-admin create-project NAME");
}

// The folders that [plugins] OPTION of one file names.
std::vector<fs::path> read_folders(const IniFile& file, const std::string& option_name, const fs::path& base,
                                   const fs::path& home) {
  const Section* section = find_section(file, "plugins");
  const Option* option = section == nullptr ? nullptr : find_option(*section, option_name);
  std::vector<fs::path> folders;
  if (option == nullptr) return folders;
  for (const std::string& text : as_list(*option)) {
    const bool at_home = text.rfind("~/", 0) == 0 && !home.empty();
    folders.push_back((at_home ? home / text.substr(2) : base / text).lexically_normal());
  }
  return folders;
}

class FilesReader {
 public:
  FilesReader(const fs::path& start, const base::World& world) : world_(world) {
    files_.folder = require_project_folder(start);
    try {
      files_.home = world.home();
    } catch (const Error&) {
      // Only "~/" in paths needs it, and that is refused where it is met.
    }
  }

  ProjectFiles read() && {
    files_.project = read_ini(files_.folder / "project.ini", "project.ini");
    read_defaults();
    add_folders(files_.project, files_.folder);
    for (const IniFile& file : files_.defaults)
      add_folders(file, fs::path(file.file).parent_path());
    if (const Section* project = find_section(files_.project, "project")) visit_all(depends_of(*project));
    collect_plugins();
    return std::move(files_);
  }

 private:
  struct Wanted {
    std::string name;
    Location where;
  };

  IniFile read_ini(const fs::path& path, const std::string& shown) {
    try {
      return parse_ini(base::read_file(path), shown, files_.problems);
    } catch (Error& error) {
      files_.problems.push_back(std::move(error));
      return {shown, {}};
    }
  }

  void read_defaults() {
    std::vector<fs::path> paths;
    try {
      paths.push_back(world_.config_folder() / "porter.ini");
    } catch (const Error&) {
      // No home folder, so no defaults of the user's.
    }
    paths.emplace_back(world_.variable("PORTER_SITE_CONFIG").value_or("/etc/porter/porter.ini"));
    for (const fs::path& path : paths) {
      std::error_code ignored;
      if (fs::exists(path, ignored)) files_.defaults.push_back(read_ini(path, path.string()));
    }
  }

  void add_folders(const IniFile& file, const fs::path& base) {
    for (fs::path& path : read_folders(file, "path", base, files_.home))
      files_.plugin_folders.push_back(std::move(path));
    for (fs::path& path : read_folders(file, "trust", base, files_.home))
      files_.trusted.push_back(std::move(path));
  }

  static std::vector<Wanted> depends_of(const Section& section) {
    std::vector<Wanted> wanted;
    const Option* option = find_option(section, "depends");
    if (option == nullptr) return wanted;
    for (const std::string& name : as_list(*option))
      wanted.push_back({name, option->where});
    return wanted;
  }

  void visit_all(const std::vector<Wanted>& wanted) {
    for (const Wanted& one : wanted)
      visit(one);
  }

  // Depth first: a module is appended after all that it depends on.
  void visit(const Wanted& wanted) {
    if (const auto open = std::find(path_.begin(), path_.end(), wanted.name); open != path_.end()) {
      std::vector<std::string> circle(open, path_.end());
      circle.push_back(wanted.name);
      files_.problems.push_back(
          Error(Code::cycle, "modules depend on each other in a circle: " + base::join(circle, " -> "))
              .at(wanted.where));
      return;
    }
    if (!seen_.insert(wanted.name).second) return;
    std::optional<ModuleFile> module = find_module(wanted);
    if (!module) return;
    path_.push_back(wanted.name);
    if (const Section* section = find_section(module->ini, "module")) {
      const std::vector<Wanted> depends = depends_of(*section);
      for (const Wanted& one : depends)
        module->depends.push_back(one.name);
      visit_all(depends);
    }
    path_.pop_back();
    files_.modules.push_back(std::move(*module));
  }

  std::optional<ModuleFile> find_module(const Wanted& wanted) {
    if (!is_inner_path(wanted.name) || wanted.name.front() == '-') {
      files_.problems.push_back(
          Error(Code::bad_value, fmt::format("\"{}\" is no name for a module", wanted.name))
              .at(wanted.where));
      return std::nullopt;
    }
    const fs::path relative = module_folder(wanted.name);
    fs::path folder = (files_.folder / relative).lexically_normal();
    if (!folder.has_filename()) folder = folder.parent_path();  // "." and ".." leave a slash at the end
    const fs::path ini = folder / (folder.filename().string() + ".ini");
    const std::string shown = ini.lexically_proximate(files_.folder).string();
    std::error_code ignored;
    if (!fs::exists(ini, ignored)) {
      report_missing(wanted, shown);
      return std::nullopt;
    }
    return ModuleFile{wanted.name, folder, {}, read_ini(ini, shown)};
  }

  // As [modules] says, else the module's name; without a slash at the end.
  fs::path module_folder(const std::string& name) const {
    std::string text = name;
    if (const Section* modules = find_section(files_.project, "modules")) {
      for (const Option& option : modules->options) {
        if (option.name == name && !option.text.empty()) text = option.text;
      }
    }
    while (text.size() > 1 && text.back() == '/')
      text.pop_back();
    return text;
  }

  void report_missing(const Wanted& wanted, const std::string& ini) {
    std::string hint = base::did_you_mean(wanted.name, module_names());
    if (hint.empty())
      hint = fmt::format("create {}, or name the module's folder in [modules] of project.ini", ini);
    files_.problems.push_back(
        Error(Code::missing, fmt::format("module \"{}\" is missing: there is no {}", wanted.name, ini))
            .at(wanted.where)
            .hint(hint));
  }

  // For suggestions: what [modules] names, and the folders that look like modules.
  std::vector<std::string> module_names() const {
    std::vector<std::string> names;
    if (const Section* modules = find_section(files_.project, "modules")) {
      for (const Option& option : modules->options)
        names.push_back(option.name);
    }
    std::error_code ignored;
    for (const fs::directory_entry& entry : fs::directory_iterator(files_.folder, ignored)) {
      const std::string name = entry.path().filename().string();
      if (fs::exists(entry.path() / (name + ".ini"), ignored)) names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  void collect_plugins() {
    std::set<std::string> known;
    for (const ModuleFile& module : files_.modules) {
      for (const Section& section : module.ini.sections) {
        if (section.name.rfind(plugin_prefix, 0) != 0) continue;
        std::string name = section.name.substr(plugin_prefix.size());
        if (is_plugin_name(name) && known.insert(name).second) files_.plugins.push_back(std::move(name));
      }
    }
  }

  const base::World& world_;
  ProjectFiles files_;
  std::set<std::string> seen_;
  std::vector<std::string> path_;  // modules being visited, outermost first
};

}  // namespace

std::optional<fs::path> find_project_folder(const fs::path& start) {
  const fs::path begin = fs::absolute(start).lexically_normal();
  for (fs::path folder = begin;; folder = folder.parent_path()) {
    std::error_code ignored;
    if (fs::is_regular_file(folder / "project.ini", ignored))
      return folder.has_filename() ? folder : folder.parent_path();
    if (folder == folder.parent_path()) return std::nullopt;
  }
}

ProjectFiles read_project_files(const fs::path& start, const base::World& world) {
  return FilesReader(start, world).read();
}

}  // namespace porter::settings
