#pragma once
// What is reported about one module on one host, gathered from the services of its Module.

#include <string>
#include <string_view>

#include <porter/porter.h>

#include "core/inventory/payload.h"

namespace porter::sendpickedversions {

inline constexpr std::string_view kSection = "plugin:porter.plugins.sendpickedversions";

// An option of this plugin; "" when it is not set.
std::string option(const Module& module, std::string_view name);

// First form: the module itself and what requirements.txt and `versions` at the root of the deployed tree
// name. Reads the two files through the target; throws what its services throw.
inventory::PickedVersions collect(Module& module, base::WallTime finished);

}  // namespace porter::sendpickedversions
