#pragma once
// The agent: greets, takes one request after the other, answers, and ends with its connection. Everything it
// does is in command_*.h; here is only who speaks when (core/protocol/conversation.h).

namespace porter::agent {

// Serves one connection to its end; the exit status of the program. `in` and `out` stay the caller's.
int serve(int in, int out);

}  // namespace porter::agent
