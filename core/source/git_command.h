#pragma once
// One way to run git: by argument list, deaf to the caller's own repository and prompts, without hooks, and
// with its complaints turned into an Error. The user's git configuration (credentials, insteadOf, proxies)
// does count. Any thread.

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/base/subprocess.h"

namespace porter::source {

struct GitCommand {
  // Whether a repository on this machine may be read. A remote one must not name local paths as its
  // submodules.
  enum class LocalRepositories { refused, allowed };

  std::vector<std::string> arguments;  // behind "git"; ids and fixed words only, never a name from outside
  std::filesystem::path directory;     // where it runs; must exist
  std::filesystem::path git_dir;       // empty: none, and none is looked for
  std::filesystem::path work_tree;     // empty: none
  std::map<std::string, std::string> config;  // settings for this call; kept out of the process list
  std::vector<int> inherited;                 // locks that hold as long as this git runs
  LocalRepositories local_repositories = LocalRepositories::refused;
  base::Deadline deadline = base::Deadline::never();
};

// Throws Error(missing) when git is not installed, Error(timeout) and Interrupted; git's failure is a result.
base::CommandResult run_git(const GitCommand& command, const base::CancelToken& cancel);

// The standard output of a git that succeeded. Throws Error(source): `subject`, and why.
std::string git_output(const GitCommand& command, std::string_view subject, const base::CancelToken& cancel);

// Why a git failed: its exit and the last lines it said, printable.
std::string git_complaint(const base::CommandResult& result);

}  // namespace porter::source
