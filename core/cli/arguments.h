#pragma once
// argv as a value. Beside flags.h the only place that knows CLI11. Plugins' arguments come in from their
// notes; no plugin code runs for --help or for a mistyped flag.

#include <string>
#include <vector>

#include "core/base/world.h"
#include "core/cli/view.h"
#include "core/engine/request.h"

namespace porter::cli {

// An argument of `deploy` and `plan` that a plugin declares.
struct PluginArgument {
  std::string plugin;
  std::string name;  // without the dashes
  bool takes_text = false;
  std::string help;
};

// supervised: what the worker does, as Request::action says. resume: with Request::run_id the same, else a
// list.
enum class Command { none, supervised, resume, create_project, plugins, hosts, hosts_trust, explain };

struct Invocation {
  Command command = Command::none;
  engine::Request request;  // of a supervised one, and of resume
  std::string name;         // create-project NAME, plugins NAME, hosts trust NAME, explain KEY
  Format format = Format::people;
  Detail detail = Detail::normal;
  std::string text;  // --help or --version: print it and end with 0
};

// Throws base::Error(usage) with "did you mean" for what is unknown.
Invocation parse_arguments(const std::vector<std::string>& arguments,
                           const std::vector<PluginArgument>& plugins, const base::World& world);

// What must be known before plugins can be looked up: the values of --plugin-path, wherever they stand.
std::vector<std::string> plugin_path_of(const std::vector<std::string>& arguments);

}  // namespace porter::cli
