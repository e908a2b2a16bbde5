// porter-agent: started on a target by porter-admin, never typed by a person. Serves one connection on its
// standard input and output and ends with it; or (--join) brings another channel to the one that does.

#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>

#include "core/agent/join.h"
#include "core/agent/server.h"
#include "core/agent/server_facts.h"
#include "core/base/memory.h"
#include "core/protocol/messages.h"

namespace {

constexpr int kExitUsage = 64;

int print_digest() {
  std::puts(porter::base::to_hex(porter::agent::own_digest()).c_str());
  return 0;
}

// Short lists of processes: what was said there is not left standing. (As to the token see join.h.)
std::string take_argument(int count, char** arguments) {
  if (count < 3) return "";
  std::string taken = arguments[2];
  std::memset(arguments[2], '-', taken.size());
  return taken;
}

int usage() {
  std::fputs("porter-agent is started by porter-admin; there is nothing to do with it by hand\n", stderr);
  return kExitUsage;
}

}  // namespace

int main(int count, char** arguments) {
  porter::base::keep_freed_memory();
  const std::string_view first = count > 1 ? arguments[1] : "";
  try {
    if (first == "--digest") return print_digest();
    const bool joins = first == "--join";
    if ((first != "--serve" && !joins) || ::isatty(STDIN_FILENO) == 1) return usage();
    const std::string given = take_argument(count, arguments);
    // What porter-admin says first, so that it need not wait for a round trip to say it.
    const auto said = porter::base::from_hex(given);
    if (!said || (joins && !porter::protocol::is_token(given))) return usage();
    ::signal(SIGPIPE, SIG_IGN);
    // Modes come from the manifest; what a web server has to enter (releases/, shared/) must not depend on
    // the login shell's mask. Programs run for plugins get the same one.
    ::umask(022);
    ::prctl(PR_SET_DUMPABLE, 0);  // what passes through here belongs in no core file
    if (joins) return porter::agent::join(given, STDIN_FILENO, STDOUT_FILENO);
    return porter::agent::serve(STDIN_FILENO, STDOUT_FILENO, *said);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "porter-agent: %s\n", error.what());
    return 1;
  }
}
