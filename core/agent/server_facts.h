#pragma once
// What the agent says about itself and its machine. Asked of the kernel and of /etc/passwd only: a static
// program has no name service, and a slow resolver must not hold up a deploy.

#include "core/protocol/values.h"

namespace porter::agent {

protocol::Hello gather_facts();

// The digest of the running program's own file.
base::Digest own_digest();

}  // namespace porter::agent
