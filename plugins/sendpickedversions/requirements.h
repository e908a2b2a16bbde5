#pragma once
// Versions that a deployed tree names itself: the simple lines of requirements.txt and of a `versions` file.
// Pure; nothing is resolved, and a line that is not understood is left out.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/inventory/payload.h"

namespace porter::sendpickedversions {

struct Requirements {
  std::vector<inventory::Requirement> asked;  // in the order of the file; of several specifiers the first
  std::map<std::string, std::string> pinned;  // name → version, for "name==version" alone
};

// requirements.txt: "name", "name==1.2", "name[extra]>=1,<2 ; marker  # comment". Left out: options (-r, -e,
// --hash), addresses and "name @ address". Of a name listed twice the first line counts.
Requirements parse_requirements(std::string_view text);

// A `versions` file: "name = version" and "name==version" lines, with or without a [versions] heading above
// them; other sections are skipped.
std::map<std::string, std::string> parse_versions(std::string_view text);

}  // namespace porter::sendpickedversions
