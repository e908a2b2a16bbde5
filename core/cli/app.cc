#include "core/cli/app.h"

#include <algorithm>
#include <ostream>

#include "core/base/error.h"
#include "core/base/exit_code.h"
#include "core/base/text.h"
#include "core/cli/arguments.h"
#include "core/cli/create_project.h"
#include "core/cli/listings.h"
#include "core/cli/supervisor.h"
#include "core/cli/trust.h"
#include "core/cli/worker.h"
#include "core/engine/plugin_catalog.h"
#include "core/engine/unfinished_runs.h"
#include "core/settings/project_files.h"

namespace porter::cli {
namespace {

using base::ExitCode;

// The arguments that the project's plugins add to `deploy` and `plan`, from their notes. Without a readable
// project there are none, since --help works anywhere; what is wrong with it is said by the command that
// needs it.
std::vector<PluginArgument> plugin_arguments(const std::vector<std::string>& arguments,
                                             const base::World& world) {
  const auto takes_them = [](const std::string& word) { return word == "deploy" || word == "plan"; };
  if (std::none_of(arguments.begin(), arguments.end(), takes_them)) return {};
  std::vector<PluginArgument> found;
  try {
    const settings::ProjectFiles files = settings::read_project_files(world.directory, world);
    engine::PluginCatalog catalog(world, files.plugin_folders, plugin_path_of(arguments));
    for (const plugin::PluginNote& note : catalog.check(files.plugins)) {
      for (const plugin::PluginArgument& argument : note.arguments) {
        found.push_back({note.name, argument.name, argument.type == ArgumentType::text, argument.help});
      }
    }
  } catch (const base::Error&) {
    return found;
  } catch (const base::Errors&) {
    return found;
  }
  return found;
}

ExitCode supervise_command(const Invocation& invocation, const base::World& world) {
  const std::unique_ptr<View> view = make_view(world, invocation.format, invocation.detail);
  return supervise(world, invocation.request, *view, invocation.detail);
}

ExitCode dispatch(Invocation& invocation, const base::World& world) {
  switch (invocation.command) {
    case Command::supervised:
      invocation.request.run_id = engine::make_run_id();
      return supervise_command(invocation, world);
    case Command::resume:
      if (invocation.request.run_id.empty()) return list_runs(invocation, world);
      engine::require_unfinished(world.state_folder(), invocation.request.run_id);
      invocation.request.action = engine::Action::resume;
      return supervise_command(invocation, world);
    case Command::create_project:
      create_project(invocation.name, world);
      return ExitCode::ok;
    case Command::plugins:
      return list_plugins(invocation, world);
    case Command::hosts:
      return list_hosts(invocation, world);
    case Command::hosts_trust:
      return trust_host(invocation, world);
    case Command::explain:
      return explain(invocation, world);
    case Command::none:
      break;
  }
  return ExitCode::internal;
}

ExitCode run_guarded(const std::vector<std::string>& arguments, const base::World& world) {
  try {
    Invocation invocation = parse_arguments(arguments, plugin_arguments(arguments, world), world);
    if (!invocation.text.empty()) {
      *world.out << base::trim(invocation.text) << std::endl;
      return ExitCode::ok;
    }
    return dispatch(invocation, world);
  } catch (const base::Errors& errors) {
    for (const base::Error& error : errors.all())
      *world.err << base::format_error(error) << std::endl;
    return base::exit_code_for(errors.all().front().code());
  } catch (const base::Error& error) {
    *world.err << base::format_error(error) << std::endl;
    return base::exit_code_for(error.code());
  } catch (const base::Interrupted&) {
    return ExitCode::interrupted;
  } catch (const std::exception& error) {
    *world.err << base::format_error(base::Error(base::Code::internal, error.what())) << std::endl;
    return ExitCode::internal;
  }
}

}  // namespace

int run(const std::vector<std::string>& arguments, const base::World& world) noexcept {
  if (arguments.size() == 2 && arguments[0] == "worker") {
    if (const auto descriptor = base::parse_integer(arguments[1]))
      return worker_main(static_cast<int>(*descriptor));
  }
  return static_cast<int>(run_guarded(arguments, world));
}

}  // namespace porter::cli
