#pragma once
// What may stand in a project file: the one table that feeds validation, `explain`, the reference in docs/
// and, with the notes of plugins, `--help`. The core's own table is constant; plugins' schemas come from
// outside, since they are read from files of a higher floor.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace porter::settings {

enum class Type {
  text,
  boolean,   // yes/no, true/false, on/off, 1/0
  integer,   // a whole number, not negative
  list,      // separated by commas or lines
  path,      // a path; relative ones are explained per option
  percent,   // 25%
  limit,     // none, 25% or a number
  duration,  // 500ms, 30s, 5min, 2h, 1d; a bare number means seconds
  url,       // scheme://…, or user@host:path where ssh makes sense
  secret,    // never printed
  words,     // an argument list: split as a shell would, nothing expanded
  choice,    // one of `choices`
};

// Which suffixes (option-HOST, option-GROUP, option-CONFIG) make sense.
enum class Suffix {
  any,
  config,  // used once per run, for all hosts: the suffix is read as a config's name only
  none,
};

struct OptionSpec {
  std::string name;
  Type type = Type::text;
  std::string default_text{};
  std::string help{};
  std::vector<std::string> choices{};
  Suffix suffix = Suffix::any;
};

struct PluginSchema {
  std::string name;
  std::vector<OptionSpec> options;
};

// The schema of a plugin by its dotted name; nothing when no such plugin was found (the caller reports that;
// its options are then not checked).
using PluginSchemas = std::function<std::optional<PluginSchema>(const std::string& plugin)>;

// Where a section may stand. Defaults are the user's and the site's porter.ini.
enum class FileKind { project, module, defaults };

struct SectionSpec {
  std::string name;  // "module"; a trailing colon ("host:") stands for every "host:NAME"
  std::vector<FileKind> files;
  std::string help;
  std::string example;
  std::vector<OptionSpec> options{};
  bool free_keys = false;  // names are the user's own
  bool supported = true;   // false: known by name, refused for now
};

const std::vector<SectionSpec>& core_sections();
// The spec of a section as it is written ("host:web01"), or null. "plugin:NAME" has one without options.
const SectionSpec* find_section_spec(std::string_view section);
// Canonically compared; null when there is none.
const OptionSpec* find_option_spec(const std::vector<OptionSpec>& options, std::string_view name);

// The type of that name ("text", "boolean", …), as plugins' notes write it.
std::optional<Type> parse_type(std::string_view name);

// "whole number", "yes or no", …: how messages and the reference call a type.
std::string_view describe(Type type);

}  // namespace porter::settings
