#pragma once
// One module's ini made into a Module. Used by make_project() alone.

#include <vector>

#include "core/settings/project.h"

namespace porter::settings {

// Values of a wrong type are passed over: validate_file() reports them.
Module read_module(const ModuleFile& file, std::vector<base::Error>& problems);

}  // namespace porter::settings
