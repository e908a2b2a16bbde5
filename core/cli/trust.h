#pragma once
// `porter-admin hosts trust NAME`: shows the key a host presents and remembers it once a person agrees.

#include "core/base/exit_code.h"
#include "core/base/world.h"
#include "core/cli/arguments.h"

namespace porter::cli {

base::ExitCode trust_host(const Invocation& invocation, const base::World& world);

}  // namespace porter::cli
