#pragma once
// How [config_files] would change on a target, for a plan: unified differences against what is live, secrets
// hidden. Reads the target, changes nothing.

#include <string>
#include <vector>

#include "core/engine/walk.h"

namespace porter::engine {

// Lines of diff -u for the config files among `paths` ("~ name", "+ name", as a plan lists them); a line
// that looks like a secret shows its value as ***.
std::vector<std::string> config_changes(const Walk& walk, const Deployment& one,
                                        const std::vector<std::string>& paths);

}  // namespace porter::engine
