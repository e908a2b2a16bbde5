// porter-admin: the command line.
#include <signal.h>

#include <string>
#include <vector>

#include "core/base/memory.h"
#include "core/cli/app.h"

int main(int argc, char** argv) {
  porter::base::keep_freed_memory();
  // A peer that goes away is an error to report, not a reason to die.
  ::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return porter::cli::run(arguments, porter::base::process_world());
}
