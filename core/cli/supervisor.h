#pragma once
// The supervisor: owns the terminal, Ctrl-C, the log file and the exit code, and loads no plugin. It runs the
// work in a process of its own (the worker) and reads its events; a worker that ends without RunFinished
// crashed, whatever its exit status: the plugin or hook that was running is named, and a settler (a worker
// without plugins) then puts back what was half done. Called on the main thread.

#include <filesystem>

#include "core/base/exit_code.h"
#include "core/base/world.h"
#include "core/cli/view.h"
#include "core/engine/request.h"

namespace porter::cli {

// `program`: what is run as the worker; this very program, unless a test has another.
base::ExitCode supervise(const base::World& world, const engine::Request& request, View& view, Detail detail,
                         const std::filesystem::path& program = "/proc/self/exe");

}  // namespace porter::cli
