#pragma once
// porter-admin as a function: arguments and a world in, an exit code out. The one place that formats errors.

#include <string>
#include <vector>

#include "core/base/world.h"

namespace porter::cli {

// `arguments` without the program's name. Never throws.
int run(const std::vector<std::string>& arguments, const base::World& world) noexcept;

}  // namespace porter::cli
