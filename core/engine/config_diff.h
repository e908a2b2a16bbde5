#pragma once
// How [config_files] would change on a target, for a plan: which settings, and no secret of them. Reads the
// target, changes nothing.

#include <string>
#include <vector>

#include "core/engine/walk.h"

namespace porter::engine {

// Lines of config_text.h for the config files among `paths` ("~ name", "+ name", as a plan lists them). Of a
// file that only its owner may read, here or on the target, no value is shown.
std::vector<std::string> config_changes(const Deployment& one, const std::vector<std::string>& paths);

}  // namespace porter::engine
