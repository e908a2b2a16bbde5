#pragma once
// Questions to the person at the terminal: on /dev/tty, so that redirected streams do not matter. Main thread
// only.

#include <optional>

#include "core/base/secret.h"
#include "core/event/event.h"

namespace porter::cli {

// Nothing when there is no terminal, at end of file, or when a confirmation is not "y" or "yes". Secrets are
// not echoed.
std::optional<base::Secret> ask_at_terminal(const event::Question& question);

}  // namespace porter::cli
