#pragma once
// Python's %(name)s within one section. Used by parse_ini() alone.

#include <vector>

#include "core/settings/ini.h"

namespace porter::settings {

// Replaces %(name)s by that option's text, itself replaced first, and %% by a percent sign; any other %
// stands for itself, so that 25% needs no doubling. Unknown names, cycles, and texts that grow beyond 64 KiB
// or nest deeper than 20 become problems at the option's line; the option is then left out.
void interpolate(Section& section, std::vector<base::Error>& problems);

}  // namespace porter::settings
