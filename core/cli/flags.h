#pragma once
// Every command with its flags and words, declared to CLI11 in one place; what is typed lands in an
// Invocation. Only arguments.cc uses this.

#include <CLI/CLI.hpp>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/cli/arguments.h"

namespace porter::cli {

class Flags {
 public:
  // Both must outlive the parsing. Throws base::Error(plugin_refused) for a plugin's argument that deploy or
  // plan has itself.
  Flags(CLI::App& app, const std::vector<PluginArgument>& plugins);

  // After the parsing: what was typed, as an Invocation whose command is `none` when no command was named.
  // Throws base::Error(usage) for a value that cannot be read.
  Invocation take();

 private:
  CLI::App* command(const std::string& name, const std::string& help, Command which,
                    CLI::App* parent = nullptr);
  CLI::App* action(const std::string& name, const std::string& help, engine::Action which);
  void add_targets(CLI::App* to);
  void add_modules(CLI::App* to, const std::string& help);
  void add_talk(CLI::App* to);
  void add_lock_wait(CLI::App* to);
  void add_handlers(CLI::App* to);
  void add_source(CLI::App* to);

  void add_deploy(const std::vector<PluginArgument>& plugins);
  void add_plan(const std::vector<PluginArgument>& plugins);
  void add_rollback();
  void add_resume();
  void add_looks();
  void add_freeze();
  void add_run();
  void add_others();
  void add_hosts();
  void add_plugin_argument(CLI::App* to, const PluginArgument& argument);
  std::uint32_t lock_wait_seconds() const;

  CLI::App& app_;
  Invocation out_;
  std::map<std::pair<CLI::App*, std::string>, CLI::App*> groups_;  // by command and plugin
  std::string force_names_;
  std::vector<CLI::Option*> forces_;  // of deploy and of plan
  std::string lock_wait_;
  bool no_dependencies_ = false;
  bool json_ = false;
  bool verbose_ = false;
  bool quiet_ = false;
};

}  // namespace porter::cli
