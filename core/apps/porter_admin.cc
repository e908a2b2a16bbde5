// porter-admin: the command line.
#include <signal.h>

#include <string>
#include <vector>

#include "core/cli/app.h"

int main(int argc, char** argv) {
  // A peer that goes away is an error to report, not a reason to die.
  ::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return porter::cli::run(arguments, porter::base::process_world());
}
