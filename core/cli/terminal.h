#pragma once
// Questions to the person at the terminal: on /dev/tty, so that redirected streams do not matter. Main thread
// only.

#include <optional>

#include "core/base/secret.h"
#include "core/event/event.h"

namespace porter::cli {

// Nothing when there is no terminal, at end of file, when a confirmation is not "y" or "yes", when a signal
// arrives (which is left for whoever waits for it; see SignalStream) or when `asker`, the line to the process
// that wants to know, is closed. Secrets are not echoed; the terminal is as before in every case.
std::optional<base::Secret> ask_at_terminal(const event::Question& question, int asker = -1);

}  // namespace porter::cli
