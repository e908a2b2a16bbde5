#include "core/settings/select.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/base/suggest.h"
#include "core/base/text.h"
#include "core/settings/target.h"

namespace porter::settings {
namespace {

using base::Code;
using base::Error;

std::vector<std::string> place_names(const Project& project) {
  std::vector<std::string> names;
  for (const Host& host : project.hosts)
    names.push_back(host.name);
  for (const Group& group : project.groups)
    names.push_back(group.name);
  return names;
}

bool contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

std::string listing(const std::vector<std::string>& names) {
  return names.empty() ? "none" : base::join(names, ", ");
}

bool matches_name(const Host& host, const std::string& pattern) {
  if (host.name == pattern || host.address == pattern || contains(host.groups, pattern)) return true;
  if (pattern.find_first_of("*?[") == std::string::npos) return false;
  const auto fits = [&](const std::string& name) { return base::glob_matches(pattern, name); };
  return fits(host.name) || fits(host.address) || std::any_of(host.groups.begin(), host.groups.end(), fits);
}

// The patterns that a range stands for. Brackets that hold no colon belong to a glob.
std::vector<std::string> without_ranges(const std::string& pattern) {
  return pattern.find(':') == std::string::npos ? std::vector{pattern} : expand_ranges(pattern);
}

// The hosts that one pattern (without '!') means, as a set of positions.
std::set<std::size_t> match(const Project& project, const std::string& pattern) {
  const bool tag = pattern.front() == '@';
  const std::vector<std::string> names = tag ? std::vector{pattern.substr(1)} : without_ranges(pattern);
  std::set<std::size_t> found;
  for (std::size_t i = 0; i < project.hosts.size(); ++i) {
    const Host& host = project.hosts[i];
    const auto fits = [&](const std::string& name) {
      return tag ? contains(host.tags, name) : matches_name(host, name);
    };
    if (std::any_of(names.begin(), names.end(), fits)) found.insert(i);
  }
  return found;
}

[[noreturn]] void throw_no_match(const Project& project, const std::string& pattern) {
  std::vector<std::string> known = place_names(project);
  for (const Host& host : project.hosts) {
    for (const std::string& tag : host.tags)
      known.push_back("@" + tag);
  }
  std::string hint = base::did_you_mean(pattern, known);
  if (hint.empty()) hint = "hosts and groups: " + listing(place_names(project));
  throw Error(Code::missing, fmt::format("\"{}\" matches no host", pattern)).hint(hint);
}

std::vector<Host> select_by_patterns(const Project& project, const std::vector<std::string>& patterns) {
  std::set<std::size_t> chosen;
  const auto is_negative = [](const std::string& pattern) { return pattern.front() == '!'; };
  if (std::all_of(patterns.begin(), patterns.end(), is_negative)) {
    for (std::size_t i = 0; i < project.hosts.size(); ++i)
      chosen.insert(i);
  }
  std::set<std::size_t> removed;
  for (const std::string& pattern : patterns) {
    const std::string positive = is_negative(pattern) ? pattern.substr(1) : pattern;
    const std::set<std::size_t> found = positive.empty() ? std::set<std::size_t>() : match(project, positive);
    if (found.empty()) throw_no_match(project, pattern);
    (is_negative(pattern) ? removed : chosen).insert(found.begin(), found.end());
  }
  std::vector<Host> hosts;
  for (const std::size_t i : chosen) {
    if (removed.count(i) == 0) hosts.push_back(project.hosts[i]);
  }
  if (hosts.empty())
    throw Error(Code::missing, fmt::format("\"{}\" leaves no host", base::join(patterns, ", ")));
  return hosts;
}

[[noreturn]] void throw_no_host(const Project& project, const std::string& config) {
  const std::string what = config.empty()
                               ? "no host and no config was chosen"
                               : fmt::format("config \"{}\" does not say which hosts it means", config);
  throw Error(Code::usage, fmt::format("{}; hosts and groups: {}; configs: {}", what,
                                       listing(place_names(project)), listing(known_configs(project))))
      .hint(config.empty() ? "--host NAME or --config NAME"
                           : fmt::format("--host NAME, or hosts = … in [config:{}]", config));
}

}  // namespace

std::vector<Host> select_hosts(const Project& project, const std::vector<std::string>& host_patterns,
                               const std::string& config) {
  std::vector<std::string> patterns;
  for (const std::string& argument : host_patterns) {
    const std::vector<std::string> pieces = base::comma_list(argument);
    patterns.insert(patterns.end(), pieces.begin(), pieces.end());
  }
  if (!patterns.empty()) return select_by_patterns(project, patterns);
  if (!host_patterns.empty())
    throw Error(Code::usage, "--host: expected a host, got nothing")
        .hint("hosts and groups: " + listing(place_names(project)));
  if (config.empty()) throw_no_host(project, config);
  check_config(project, config);
  const Config* section = project.find_config(config);
  if (section != nullptr && !section->hosts.empty()) return select_by_patterns(project, section->hosts);
  if (contains(place_names(project), config)) return select_by_patterns(project, {config});
  if (project.hosts.size() == 1) return project.hosts;
  throw_no_host(project, config);
}

void check_config(const Project& project, const std::string& name) {
  const std::vector<std::string> known = known_configs(project);
  if (contains(known, name)) return;
  std::string hint = base::did_you_mean(name, known);
  if (hint.empty()) hint = "configs: " + listing(known);
  throw Error(Code::missing, fmt::format("config \"{}\" does not exist", name)).hint(hint);
}

std::vector<std::string> known_configs(const Project& project) {
  std::set<std::string> names(project.config_folders.begin(), project.config_folders.end());
  for (const Config& config : project.configs)
    names.insert(config.name);
  for (const std::string& place : place_names(project))
    names.insert(place);
  return {names.begin(), names.end()};
}

std::vector<const Module*> select_modules(const Project& project, const std::vector<std::string>& names,
                                          WithDependencies with) {
  std::vector<std::string> all;
  for (const Module& module : project.modules)
    all.push_back(module.name);
  if (all.empty()) {
    throw Error(Code::missing, "the project has no modules")
        .at("project.ini")
        .hint("name them in depends = … of [project]");
  }
  std::set<std::string> wanted(names.begin(), names.end());
  for (const std::string& name : names) {
    if (contains(all, name)) continue;
    std::string hint = base::did_you_mean(name, all);
    if (hint.empty()) hint = "modules: " + listing(all);
    throw Error(Code::missing, fmt::format("module \"{}\" does not exist", name)).hint(hint);
  }
  std::vector<const Module*> chosen;
  // Backwards, a module is met before all that it depends on.
  for (auto module = project.modules.rbegin(); module != project.modules.rend(); ++module) {
    if (!names.empty() && wanted.count(module->name) == 0) continue;
    chosen.push_back(&*module);
    if (with == WithDependencies::yes) wanted.insert(module->depends.begin(), module->depends.end());
  }
  std::reverse(chosen.begin(), chosen.end());
  return chosen;
}

const Ref& choose_ref(const Module& module, const std::string& release) {
  if (module.refs.empty()) return module.implied_ref;
  std::vector<std::string> known;
  for (const Ref& ref : module.refs) {
    if (ref.name == release) return ref;
    known.push_back(ref.name);
  }
  const std::string near = base::did_you_mean(release, known);
  throw Error(Code::missing, fmt::format("module \"{}\" has no release \"{}\"; it has: {}", module.name,
                                         release, listing(known)))
      .at(module.where)
      .hint(near.empty() ? fmt::format("--release {}, or add [release:{}]", known.front(), release) : near);
}

}  // namespace porter::settings
