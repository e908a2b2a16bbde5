#pragma once
// A user of porter-admin in a test: an empty home folder, a project that deploys to this machine, and the
// program that was built, run as a process.

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "core/base/files.h"
#include "core/base/subprocess.h"

namespace porter::tests {

class User {
 public:
  User() {
    std::filesystem::create_directories(home());
    write("project.ini",
          "[project]\nname = Faults\ndepends = web\n[hosts]\nhere = local:\n[config:testing]\n");
    module("web");
    write("web/src/page", "one\n");
  }

  std::filesystem::path home() const { return folder_.path() / "home"; }
  std::filesystem::path project() const { return folder_.path() / "project"; }
  std::filesystem::path live(const std::string& module) const {
    return project() / "deployed" / module / "current";
  }

  void write(const std::string& path, const std::string& text) const {
    base::make_folders((project() / path).parent_path());
    base::write_file(project() / path, text);
  }
  // A module with its own folder below deployed/.
  void module(const std::string& name, const std::string& more = "") const {
    write(name + "/" + name + ".ini", "[module]\npath = deployed/" + name + "\n" + more);
  }
  // A hook whose handler of `signal` does `body` with the module `m`.
  void hook(const std::string& module, const std::string& signal, const std::string& body) const {
    write(module + "/deployment.cpp",
          "#include <porter/porter.h>\n#include <cstdlib>\n#include <stdexcept>\nPORTER_DEPLOYMENT {\n"
          "  module.push_signal_handler(porter::" +
              signal + ", [](porter::Module& m) { (void)m; " + body + " });\n}\n");
  }

  base::Command command(std::vector<std::string> arguments) const {
    base::Command command;
    command.arguments = std::move(arguments);
    command.directory = project();
    command.set_environment = {{"HOME", home().string()}, {"NO_COLOR", "1"}, {"LC_ALL", "C.UTF-8"}};
    command.unset_environment = {"XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "PORTER_PLUGIN_PATH"};
    command.merge_output = true;
    return command;
  }
  base::CommandResult run(std::vector<std::string> arguments) const {
    return base::run_command(command(std::move(arguments)), base::Deadline::in(std::chrono::seconds(120)),
                             {});
  }
  static std::string program() { return PORTER_BUILD_FOLDER "/bin/porter-admin"; }
  std::vector<std::string> deploy(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {program(), "deploy", "--config", "testing"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

 private:
  base::TemporaryFolder folder_;
};

// False when it is not there after half a minute.
inline bool appears(const std::filesystem::path& path) {
  for (int tenths = 0; tenths < 300; ++tenths) {
    if (std::filesystem::exists(path)) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return false;
}

}  // namespace porter::tests
