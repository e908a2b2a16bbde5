#pragma once
// `[module] build`: a program by argument list, run in a private checkout on the operator's side before the
// tree is composed. Used by the engine, once per module and run, from any thread; the callback is called on
// that thread.

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/source/source.h"

namespace porter::source {

struct BuildRequest {
  // [0] is looked up in PATH, or in the checkout when it holds a slash ("./build.sh").
  std::vector<std::string> arguments;
  std::map<std::string, std::string>
      environment;  // on top of the inherited one: PORTER_MODULE, PORTER_COMMIT, …
  // Each line of stdout and stderr as it comes, in order, without its end, raw bytes; may be empty. A line
  // beyond 64 KiB comes in pieces.
  std::function<void(std::string_view)> on_line;
  base::Deadline deadline = base::Deadline::never();
};

// Returns when the build succeeded. What it left running in its process group is ended. Throws Error(source)
// with its exit and last 20 lines when it failed, Error(missing) when there is no such program,
// Error(timeout), Interrupted, and Error(internal) when the checkout is not a private copy.
void run_build(const Checkout& checkout, const BuildRequest& request, const base::CancelToken& cancel);

}  // namespace porter::source
