#pragma once
// How another channel of the same SSH connection becomes one more way to the agent: there a second process of
// the agent's program is started, which connects to a socket of the first one, hands over its standard input
// and stays until the first one lets it go, since the channel ends with it.
//
// The socket has a name in the abstract namespace, made of the token. Neither is a secret: every user of the
// machine can read both (/proc/net/unix, for a moment the list of processes). What counts is that both ends
// ask the kernel who the other one is, and talk to their own user only. A process of that user gains nothing
// here that it has not got: it may write into the site and replace the agent's program.

#include <optional>
#include <string>

#include "core/base/fd.h"

namespace porter::agent {

// The first process's end. Belongs to one thread; never blocks.
class JoinDoor {
 public:
  // Throws Error(io) when nobody can be let in.
  explicit JoinDoor(const std::string& token);

  int descriptor() const { return listener_.get(); }  // readable: somebody knocks
  // A visitor of our own user; none when it was another one's, or went away again.
  base::UniqueFd let_in() const;

 private:
  base::UniqueFd listener_;
};

// What a visitor, who has become readable, hands over; nothing when that is not one descriptor.
std::optional<base::UniqueFd> take_descriptor(int visitor);
// Tells a visitor that its channel is part of the connection.
void welcome_visitor(int visitor);

// The second process: hands `in` over to the agent that knows the token, says protocol::kJoined on `out` when
// it is told that this was welcome, and returns the exit status when the agent lets it go.
int join(const std::string& token, int in, int out);

}  // namespace porter::agent
