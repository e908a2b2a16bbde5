#include "core/settings/module_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

namespace porter::settings {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Error;

// Whether `path`, with links followed, lies in `folder`.
bool leads_into(const fs::path& path, const fs::path& folder) {
  const fs::path real = fs::canonical(path);
  const fs::path root = fs::canonical(folder);
  return std::mismatch(root.begin(), root.end(), real.begin(), real.end()).first == root.end();
}

void check_config_file(const ModuleSettings& settings, const ConfigFile& file) {
  if (settings.config().empty()) {
    if (file.optional) return;
    throw Error(Code::missing, fmt::format("config file \"{}\" of module \"{}\" needs a config", file.source,
                                           settings.module_name()))
        .at(file.where)
        .hint("--config NAME");
  }
  const fs::path folder = settings.config_folder();
  const fs::path path = folder / file.source;
  std::error_code reason;
  if (!fs::exists(path, reason)) {
    if (file.optional && !fs::is_symlink(path, reason)) return;
    throw Error(Code::missing, fmt::format("config file \"{}\" of module \"{}\" is missing for config \"{}\"",
                                           file.source, settings.module_name(), settings.config()))
        .at(file.where)
        .hint(fmt::format("create {}, or write \"{}?\" when it may be absent", path.string(),
                          file.destination));
  }
  if (!fs::is_regular_file(path, reason)) {
    throw Error(Code::bad_value, fmt::format("config file \"{}\" of module \"{}\" is {}, a file is expected",
                                             file.source, settings.module_name(),
                                             fs::is_directory(path, reason) ? "a folder" : "no regular file"))
        .at(file.where);
  }
  if (!leads_into(path, folder.parent_path())) {
    throw Error(Code::bad_value,
                fmt::format("config file \"{}\" leads out of {}", file.source, folder.parent_path().string()))
        .at(file.where);
  }
}

// Whether `inner` is `outer` or lies in a folder that deploys make there.
bool collides(const std::string& outer, const std::string& inner) {
  if (inner == outer) return true;
  const std::string start = outer + "/";
  if (inner.rfind(start, 0) != 0) return false;
  const std::string first = inner.substr(start.size(), inner.find('/', start.size()) - start.size());
  return first == "current" || first == "releases" || first == "shared" || first == ".porter";
}

}  // namespace

Option ModuleSettings::option(const std::string& section, const std::string& name) const {
  const auto& entry = entries_.at(section).at(name);
  return {entry.name, entry.setting.text, entry.setting.where};
}

Layout ModuleSettings::layout() const {
  return option("module", "layout").text == "inplace" ? Layout::inplace : Layout::releases;
}

int ModuleSettings::keep_releases() const {
  constexpr std::int64_t plenty = 1000000;
  return static_cast<int>(std::clamp<std::int64_t>(as_integer(option("module", "keep_releases")), 1, plenty));
}

std::vector<std::string> ModuleSettings::exclude() const {
  return as_list(option("module", "exclude"));
}
Limit ModuleSettings::max_delete() const {
  return as_limit(option("module", "max_delete"));
}
std::vector<std::string> ModuleSettings::build() const {
  return as_words(option("module", "build"));
}
std::vector<std::string> ModuleSettings::generated() const {
  return as_list(option("module", "generated"));
}

LinkMode ModuleSettings::link() const {
  const std::string text = option("module", "link").text;
  if (text == "reflink") return LinkMode::reflink;
  if (text == "copy") return LinkMode::copy;
  return text == "hard" ? LinkMode::hard : LinkMode::automatic;
}

Durability ModuleSettings::durability() const {
  return option("module", "durability").text == "none" ? Durability::none : Durability::full;
}

Deletion ModuleSettings::deletion() const {
  return option("module", "delete").text == "unknown" ? Deletion::unknown : Deletion::listed;
}

SpecialFiles ModuleSettings::special() const {
  return option("module", "special").text == "skip" ? SpecialFiles::skip : SpecialFiles::refuse;
}

Owners ModuleSettings::owners() const {
  const std::string text = option("module", "owners").text;
  if (text == "names") return Owners::names;
  return text == "numbers" ? Owners::numbers : Owners::none;
}

bool ModuleSettings::xattrs() const {
  return as_boolean(option("module", "xattrs"));
}

std::vector<std::string> ModuleSettings::shared_paths() const {
  return as_list(option("shared", "paths"));
}

fs::path ModuleSettings::config_folder() const {
  return config_.empty() ? fs::path() : folder_ / "config" / config_;
}

std::optional<std::string> ModuleSettings::get(const std::string& section,
                                               const std::string& option_name) const {
  std::optional<Setting> setting = find(section, option_name);
  if (!setting) return std::nullopt;
  return std::move(setting->text);
}

std::optional<Setting> ModuleSettings::find(const std::string& section,
                                            const std::string& option_name) const {
  const auto entries = entries_.find(section);
  if (entries == entries_.end()) return std::nullopt;
  const auto entry = entries->second.find(canonical(option_name));
  if (entry == entries->second.end() || !entry->second.set) return std::nullopt;
  return entry->second.setting;
}

std::map<std::string, std::map<std::string, std::string>> ModuleSettings::effective() const {
  std::map<std::string, std::map<std::string, std::string>> all;
  for (const auto& [section, entries] : entries_) {
    for (const auto& [name, entry] : entries) {
      if (!entry.set) continue;
      all[section][entry.name] =
          entry.secret && !entry.setting.text.empty() ? "(secret)" : entry.setting.text;
    }
  }
  for (const ConfigFile& file : config_files_) {
    all["config_files"][file.destination + (file.optional ? "?" : "")] = file.source;
  }
  return all;
}

base::Digest ModuleSettings::digest() const {
  base::Sha256 sum;
  // Lengths in front keep "ab" + "c" apart from "a" + "bc".
  const auto add = [&](const std::string& text) { sum.update(fmt::format("{}:{}", text.size(), text)); };
  for (const auto& [section, entries] : entries_) {
    for (const auto& [name, entry] : entries) {
      if (!entry.set) continue;
      add(section);
      add(name);
      add(entry.setting.text);
    }
  }
  for (const ConfigFile& file : config_files_) {
    add(file.destination);
    add(file.source);
    add(file.optional ? "?" : "");
  }
  add(become_);
  add(config_);
  return sum.finish();
}

void check_paths_apart(const std::vector<ModuleSettings>& all) {
  for (const ModuleSettings& one : all) {
    for (const ModuleSettings& other : all) {
      if (&one == &other || one.host_name() != other.host_name() || !collides(one.path(), other.path()))
        continue;
      throw Error(
          Code::bad_value,
          fmt::format("on host \"{}\" module \"{}\" goes to {}, and module \"{}\" to {}", one.host_name(),
                      one.module_name(), one.path(), other.module_name(), other.path()))
          .at(other.find("module", "path")->where)
          .hint("give each module a path of its own");
    }
  }
}

void check_config_files(const ModuleSettings& settings) {
  std::vector<Error> problems;
  for (const ConfigFile& file : settings.config_files()) {
    try {
      check_config_file(settings, file);
    } catch (Error& error) {
      problems.push_back(std::move(error));
    } catch (const fs::filesystem_error& error) {
      problems.push_back(base::system_error(file.source, error.code().value()).at(file.where));
    }
  }
  if (!problems.empty()) throw base::Errors(std::move(problems));
}

}  // namespace porter::settings
