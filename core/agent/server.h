#pragma once
// The agent: greets, takes one request after the other, answers, and ends with its connection. Everything it
// does is in command_*.h; here is only who speaks when (core/protocol/conversation.h).

#include <string>

namespace porter::agent {

// Serves one connection to its end; the exit status of the program. `in` and `out` stay the caller's; `said`
// is what came before the first byte of `in`.
int serve(int in, int out, const std::string& said);

}  // namespace porter::agent
