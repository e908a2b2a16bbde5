#include "core/source/git_command.h"

#include <fmt/format.h>

#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"

namespace porter::source {
namespace {

using base::Code;
using base::Error;

// `git rev-parse --local-env-vars` of git 2.39, and what else would point git at another repository or
// configuration.
const std::vector<std::string>& foreign_variables() {
  static const std::vector<std::string> names = {"GIT_ALTERNATE_OBJECT_DIRECTORIES",
                                                 "GIT_CONFIG",
                                                 "GIT_CONFIG_PARAMETERS",
                                                 "GIT_CONFIG_COUNT",
                                                 "GIT_OBJECT_DIRECTORY",
                                                 "GIT_DIR",
                                                 "GIT_WORK_TREE",
                                                 "GIT_IMPLICIT_WORK_TREE",
                                                 "GIT_GRAFT_FILE",
                                                 "GIT_INDEX_FILE",
                                                 "GIT_NO_REPLACE_OBJECTS",
                                                 "GIT_REPLACE_REF_BASE",
                                                 "GIT_PREFIX",
                                                 "GIT_SHALLOW_FILE",
                                                 "GIT_COMMON_DIR",
                                                 "GIT_INTERNAL_SUPER_PREFIX",
                                                 "GIT_NAMESPACE",
                                                 "GIT_TEMPLATE_DIR",
                                                 "GIT_EXEC_PATH",
                                                 "GIT_DEFAULT_HASH",
                                                 "GIT_LITERAL_PATHSPECS",
                                                 "GIT_GLOB_PATHSPECS",
                                                 "GIT_NOGLOB_PATHSPECS",
                                                 "GIT_ICASE_PATHSPECS",
                                                 "GIT_QUARANTINE_PATH",
                                                 "GIT_PROTOCOL_FROM_USER"};
  return names;
}

std::map<std::string, std::string> fixed_settings() {
  return {
      {"core.hooksPath", "/dev/null"},  {"core.fsmonitor", "false"},    {"core.autocrlf", "false"},
      {"core.symlinks", "true"},        {"core.fileMode", "true"},      {"core.ignoreCase", "false"},
      {"core.sparseCheckout", "false"}, {"submodule.recurse", "false"}, {"fetch.recurseSubmodules", "false"},
      {"advice.detachedHead", "false"}, {"gc.autoDetach", "false"},  // nothing runs on behind our back
      {"http.lowSpeedLimit", "1000"},  // a stalled server ends the call: below 1000 bytes/s …
      {"http.lowSpeedTime", "60"}};    // … for a minute
}

void add_config(std::map<std::string, std::string>& environment,
                const std::map<std::string, std::string>& extra) {
  std::map<std::string, std::string> all = fixed_settings();
  for (const auto& [key, value] : extra)
    all[key] = value;
  int count = 0;
  for (const auto& [key, value] : all) {
    environment[fmt::format("GIT_CONFIG_KEY_{}", count)] = key;
    environment[fmt::format("GIT_CONFIG_VALUE_{}", count)] = value;
    ++count;
  }
  environment["GIT_CONFIG_COUNT"] = std::to_string(count);
}

std::map<std::string, std::string> environment_of(const GitCommand& command) {
  std::map<std::string, std::string> out;
  out["LC_ALL"] = "C";
  out["GIT_TERMINAL_PROMPT"] = "0";
  // ssh asks on the terminal behind our back otherwise; this way a question it would ask is a refusal.
  // (OpenSSH 8.4)
  out["SSH_ASKPASS"] = "/bin/false";
  out["SSH_ASKPASS_REQUIRE"] = "force";
  out["GIT_CEILING_DIRECTORIES"] = command.directory.parent_path().string();
  const bool local = command.local_repositories == GitCommand::LocalRepositories::allowed;
  out["GIT_ALLOW_PROTOCOL"] = local ? "file:git:ssh:https:http" : "git:ssh:https:http";
  if (!command.git_dir.empty()) out["GIT_DIR"] = command.git_dir.string();
  if (!command.work_tree.empty()) out["GIT_WORK_TREE"] = command.work_tree.string();
  add_config(out, command.config);
  return out;
}

}  // namespace

base::CommandResult run_git(const GitCommand& command, const base::CancelToken& cancel) {
  base::Command call;
  call.arguments = {"git"};
  call.arguments.insert(call.arguments.end(), command.arguments.begin(), command.arguments.end());
  call.directory = command.directory;
  call.set_environment = environment_of(command);
  call.inherited = command.inherited;
  call.unset_environment = foreign_variables();
  call.output_limit = std::size_t{256} << 20U;  // the refs of a very large repository
  try {
    return base::run_command(call, command.deadline, cancel);
  } catch (Error& error) {
    if (error.code() != Code::missing) throw;
    throw Error(Code::missing, error.message()).hint("install git: apt-get install git");
  }
}

std::string git_output(const GitCommand& command, std::string_view subject, const base::CancelToken& cancel) {
  base::CommandResult result = run_git(command, cancel);
  if (!result.ok()) throw Error(Code::source, fmt::format("{}: {}", subject, git_complaint(result)));
  return std::move(result.output);
}

std::string git_complaint(const base::CommandResult& result) {
  constexpr std::size_t kLines = 5;
  std::vector<std::string> lines;
  for (const std::string& line : base::split(result.errors, '\n')) {
    // Progress rewrites its line with carriage returns: only the last state says something.
    const std::string_view said = base::trim(line);
    const std::string_view last = said.substr(said.rfind('\r') + 1);
    if (!last.empty()) lines.push_back(base::printable(last.substr(0, 1000)));
  }
  if (lines.size() > kLines) lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(kLines));
  if (lines.empty()) return fmt::format("git: {}", result.describe());
  return base::join(lines, "\n  ");
}

}  // namespace porter::source
