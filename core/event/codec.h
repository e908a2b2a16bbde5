#pragma once
// Events as JSON, one object a line: {"event": "planned", "time": "…Z", "module": …}. Thread-safe (pure).

#include <string>
#include <string_view>

#include "core/base/clock.h"
#include "core/event/event.h"

namespace porter::event {

// No newline inside or at the end. Text that is no UTF-8 is made printable.
std::string encode(const Event& event, base::WallTime time);
// Throws Error(protocol) for anything that encode() did not make.
Event decode(std::string_view line);

}  // namespace porter::event
