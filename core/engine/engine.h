#pragma once
// The engine: takes a request, does the run, tells everything as events and ends with RunFinished. Knows no
// listener and no terminal. Runs in the worker, on its main thread.

#include <functional>

#include "core/base/cancel.h"
#include "core/base/exit_code.h"
#include "core/base/world.h"
#include "core/engine/request.h"
#include "core/event/event.h"
#include "core/event/reply.h"

namespace porter::engine {

struct Run;
struct HostRun;

// The way to a host: fills in the endpoint (and the transport below it, when there is one) or throws
// base::Error or Interrupted. Called on several threads at once.
using Connector = std::function<void(Run&, HostRun&)>;

struct Surroundings {
  base::World world;
  event::Sink& sink;
  event::Asker& asker;
  base::CancelToken cancel;
  Connector connector = {};  // empty: dial_host() of connect.h
};

// Never throws: whatever goes wrong is a Failure event and an exit code.
base::ExitCode run(const Request& request, const Surroundings& around) noexcept;

}  // namespace porter::engine
