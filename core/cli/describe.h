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

// The same for what is a result, and goes to stdout at any detail.
std::optional<std::string> describe_result(const event::Event& event);

// "module on host", or whichever of the two there is.
std::string place(const std::string& module, const std::string& host);

}  // namespace porter::cli
