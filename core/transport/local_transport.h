#pragma once
// Processes on this machine, for `local:` hosts and for tests: children by argument list, nothing of SSH.

#include <memory>
#include <string>

#include "core/transport/transport.h"

namespace porter::transport {

// `name` is what the user calls the host. Children inherit this process's environment and folder.
std::unique_ptr<Transport> make_local_transport(std::string name);

}  // namespace porter::transport
