#pragma once
// INI text as it stands in the file: sections and options in their order, each with its exact line. The
// grammar is inih's (and so Python's ConfigParser, as far as people use it); docs/configuration.md describes
// it. Used by the project reader; pure and thread-safe.

#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"

namespace porter::settings {

struct Option {
  std::string name;  // as written
  std::string text;  // %(name)s replaced, continuation lines joined with '\n'
  base::Location where;
};

struct Section {
  std::string name;
  base::Location where;
  std::vector<Option> options;
};

struct IniFile {
  std::string file;  // how messages name it
  std::vector<Section> sections;
};

// Reads INI text. Every mistake is appended to `problems` with its line (at most 50 for one file); what could
// be read is returned all the same. Never throws on bad text.
IniFile parse_ini(std::string_view text, std::string file_name, std::vector<base::Error>& problems);

// How option names are compared: lower case, '-' as '_'. (Names in [hosts], [modules] and [config_files] are
// compared as written.)
std::string canonical(std::string_view name);

// The option of that name, canonically compared, or null.
const Option* find_option(const Section& section, std::string_view name);
// The section of exactly that name, or null.
const Section* find_section(const IniFile& file, std::string_view name);

}  // namespace porter::settings
