#pragma once
// Holds every section and option of a file against the schema. Used by make_project() alone.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/settings/ini.h"
#include "core/settings/schema.h"

namespace porter::settings {

// The suffixes that exist, in canonical form: of hosts and groups, and of configs.
struct Suffixes {
  std::set<std::string> places;
  std::set<std::string> configs;
};

// "path-web01" read against the declared options: the option, and the suffix in canonical form (empty: none).
struct Reading {
  const OptionSpec* spec = nullptr;
  std::string suffix;
};

// A declared name wins over a suffix; among suffix readings one with a known suffix wins, then the longest
// option. Nothing when no declared option fits at all.
std::optional<Reading> read_option_name(const std::vector<OptionSpec>& options, std::string_view name,
                                        const Suffixes& suffixes);

struct ValidationContext {
  const std::map<std::string, PluginSchema>& schemas;  // of plugins that were found
  const std::set<std::string>& used_plugins;
  const Suffixes& suffixes;
};

void validate_file(const IniFile& file, FileKind kind, const ValidationContext& context,
                   std::vector<base::Error>& problems);

}  // namespace porter::settings
