#pragma once
// From what the user asked for to hosts, modules and refs of the project. Everything unknown is an error that
// lists or suggests what there is (exit 2). Pure apart from check_config(), which relies on what
// make_project() saw.

#include <string>
#include <vector>

#include "core/settings/project.h"

namespace porter::settings {

// Patterns (--host; a comma separates several): names, addresses, groups, globs, ranges web[01:20], @tag, and
// !not, which takes away (alone: from all hosts). Without patterns: [config:NAME] hosts, else the host or
// group named like the config, else the only host of the project when the config exists. Result in the
// project's order.
std::vector<Host> select_hosts(const Project& project, const std::vector<std::string>& host_patterns,
                               const std::string& config);

// A config exists if there is [config:NAME], a host or group of that name, or a module's config/NAME/ folder.
void check_config(const Project& project, const std::string& name);
// All names that check_config() accepts, sorted.
std::vector<std::string> known_configs(const Project& project);

enum class WithDependencies { no, yes };

// No names: all modules. Dependencies first, in any case. The pointers are into `project`.
std::vector<const Module*> select_modules(const Project& project, const std::vector<std::string>& names,
                                          WithDependencies with);

// The [release:NAME] of that name; a reference into `module`. A module without any has its implied ref,
// whatever the name.
const Ref& choose_ref(const Module& module, const std::string& release);

}  // namespace porter::settings
