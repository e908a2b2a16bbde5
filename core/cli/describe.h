#pragma once
// Events as lines for people: one wording for terminal, plain output and log file. Pure.

#include <optional>
#include <string>

#include "core/event/event.h"

namespace porter::cli {

// How much people want to read.
enum class Detail { quiet, normal, verbose };

// What to print for an event, without a newline at the end; nothing when it is of no interest at this detail.
// Progress has its own drawing (progress.h) and gives nothing here. Text from outside is made printable.
std::optional<std::string> describe(const event::Event& event, Detail detail);

}  // namespace porter::cli
