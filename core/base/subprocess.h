#pragma once
// Programs started by argument list, never through a shell. Children get their own process group, default
// signal dispositions and no descriptor but the three named here; a cancelled or timed-out run ends the whole
// group.

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/base/fd.h"

namespace porter::base {

struct Command {
  std::vector<std::string> arguments;                  // [0] is the program, looked up in PATH; never empty
  std::filesystem::path directory;                     // where it runs; empty: here
  std::map<std::string, std::string> set_environment;  // on top of the inherited environment
  std::vector<std::string> unset_environment;
  std::string input;  // fed to its stdin
  std::size_t output_limit =
      16U << 20U;              // bytes kept of each of stdout and stderr; more is cut, not an error
  std::vector<int> inherited;  // descriptors that stay open in the child: a lock it shares
  bool merge_output = false;   // stderr goes into `output` too, in the order it was written
  // The program (not what it starts, nor what sudo makes of it) is killed when the thread that started it
  // ends, however that comes.
  bool ends_with_us = false;
};

struct CommandResult {
  int status = 0;  // exit status; -1 when a signal ended it
  int signal = 0;  // that signal
  std::string output;
  std::string errors;
  bool ok() const { return status == 0 && signal == 0; }
  // "exit status 3", "killed by signal 9".
  std::string describe() const;
};

// Runs until the program ends, and no longer: a service that it leaves behind lives on, and what that writes
// into the program's pipes later is lost. Throws Error(missing) when the program or its directory does not
// exist, Error(timeout) at the deadline and Interrupted on cancel; a failing program is a result, not an
// exception.
CommandResult run_command(const Command& command, Deadline deadline, const CancelToken& cancel);

// A running child with the descriptors that were asked for. The destructor ends its process group (SIGKILL)
// and reaps it.
class Child {
 public:
  struct Wiring {
    int standard_input = -1;  // descriptor the child gets as 0, 1, 2; -1 means /dev/null
    int standard_output = -1;
    int standard_error = -1;
    std::vector<int> inherited;  // descriptors that stay open under their own number
  };
  static Child start(const Command& command, const Wiring& wiring);

  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  pid_t pid() const { return pid_; }
  // Sends a signal to the child's process group.
  void signal_group(int signal) const;
  // A descriptor for poll(2), readable once the child has ended; none on a kernel older than 5.3.
  UniqueFd end_descriptor() const;
  // Waits for the end; output fields stay empty. May be called once.
  CommandResult wait();
  // Like wait(), but gives nothing when the child still runs.
  std::optional<CommandResult> try_wait();

 private:
  explicit Child(pid_t pid) : pid_(pid) {}
  pid_t pid_ = -1;
};

}  // namespace porter::base
