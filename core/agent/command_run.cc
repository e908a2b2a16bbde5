#include "core/agent/command_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/base/error.h"
#include "core/base/subprocess.h"
#include "core/protocol/messages.h"

namespace porter::agent {
namespace {

using base::Code;
using base::Error;

// sudo drops the environment, so that what was asked for goes through env(1) behind it.
std::vector<std::string> through_sudo(const protocol::RunRequest& request) {
  std::vector<std::string> arguments = {"sudo", "-n", "--"};
  if (!request.environment.empty()) arguments.emplace_back("env");
  arguments.insert(arguments.end(), request.environment.begin(), request.environment.end());
  arguments.insert(arguments.end(), request.arguments.begin(), request.arguments.end());
  return arguments;
}

base::Command command_for(const protocol::RunRequest& request, std::size_t limit) {
  base::Command command;
  const bool sudo = request.privilege == protocol::Privilege::sudo;
  command.arguments = sudo ? through_sudo(request) : request.arguments;
  command.directory = request.directory;
  command.input = request.input;
  command.ends_with_us = true;
  command.output_limit = limit + 1;  // one more than we give back shows that something was cut
  for (const std::string& entry : request.environment) {
    const std::size_t equals = entry.find('=');
    command.set_environment[entry.substr(0, equals)] = entry.substr(equals + 1);
  }
  return command;
}

bool cut(std::string& text, std::size_t limit) {
  if (text.size() <= limit) return false;
  text.resize(limit);
  return true;
}

}  // namespace

protocol::RunResult run_program(const protocol::RunRequest& request, const base::CancelToken& lost) {
  const auto limit =
      static_cast<std::size_t>(std::min<std::uint64_t>(request.output_limit, protocol::kMaxOutput));
  const auto deadline = request.deadline_seconds == 0
                            ? base::Deadline::never()
                            : base::Deadline::in(std::chrono::seconds(request.deadline_seconds));
  if (!request.directory.empty() && !std::filesystem::is_directory(request.directory))
    throw Error(Code::remote, fmt::format("cannot run {}: the folder {} is not there", request.arguments[0],
                                          request.directory));
  base::CommandResult ran;
  try {
    ran = base::run_command(command_for(request, limit), deadline, lost);
  } catch (const Error& error) {
    if (error.code() != Code::missing && error.code() != Code::io) throw;
    throw Error(Code::remote, error.message());
  }
  protocol::RunResult result{ran.status, ran.signal, std::move(ran.output), std::move(ran.errors), false};
  const bool output_cut = cut(result.output, limit);
  result.output_cut = cut(result.errors, limit) || output_cut;
  return result;
}

}  // namespace porter::agent
