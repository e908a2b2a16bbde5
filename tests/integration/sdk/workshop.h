#pragma once
// Running the tools that a plugin author runs, and looking at what came out.

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/base/subprocess.h"
#include "core/base/text.h"
#include "core/plugin/loader.h"

namespace porter::tests {

inline const std::string kSanitizer = PORTER_FP_SANITIZER;

// Flags that a plugin needs to fit this very program: none, outside of sanitizer builds.
inline std::string fitting_flags() {
  return kSanitizer == "none" ? "" : "-fsanitize=" + kSanitizer;
}

inline void run_tool(const std::vector<std::string>& arguments) {
  base::Command command;
  command.arguments = arguments;
  command.merge_output = true;
  const auto deadline = base::Deadline::in(std::chrono::seconds(120));
  const base::CommandResult result = base::run_command(command, deadline, {});
  if (!result.ok())
    throw std::runtime_error(base::quote_shell(arguments) + ": " + result.describe() + "\n" + result.output);
}

inline plugin::LoadedPlugin load_any(const std::filesystem::path& library) {
  plugin::Expectation expectation;
  expectation.kind = plugin::read_note(library).kind;
  expectation.services = plugin::sdk_services();
  return plugin::LoadedPlugin::load(library, expectation, {});
}

}  // namespace porter::tests
