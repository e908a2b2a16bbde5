#pragma once
// [hosts] and [host:NAME] made into hosts and groups. Used by make_project() alone.

#include <vector>

#include "core/settings/project.h"

namespace porter::settings {

struct Hosts {
  std::vector<Host> hosts;
  std::vector<Group> groups;
};

// Values of a wrong type are left at their defaults without a word: validate_file() reports them.
Hosts build_hosts(const ProjectFiles& files, std::vector<base::Error>& problems);

}  // namespace porter::settings
