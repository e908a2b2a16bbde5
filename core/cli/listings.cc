#include "core/cli/listings.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <ostream>

#include "core/base/text.h"
#include "core/cli/load_project.h"
#include "core/engine/plugin_catalog.h"
#include "core/engine/unfinished_runs.h"
#include "core/plugin/doorway.h"
#include "core/settings/explain.h"

namespace porter::cli {
namespace {

using nlohmann::ordered_json;

struct Row {
  plugin::FoundPlugin found;
  std::optional<plugin::PluginNote> note;
  std::string problem;
};

Row examine(const plugin::FoundPlugin& found) {
  Row row{found, std::nullopt, ""};
  try {
    row.note = plugin::read_note(found.file);
    plugin::Expectation expectation;
    expectation.services = plugin::sdk_services();
    plugin::check_note(*row.note, expectation);
  } catch (const base::Error& error) {
    row.problem = base::format_error(error);
  }
  return row;
}

ordered_json as_json(const Row& row) {
  ordered_json object = {{"name", row.found.name},
                         {"file", row.found.file.string()},
                         {"origin", row.found.origin},
                         {"shadowed", row.found.shadowed},
                         {"refused", row.problem}};
  if (!row.note) return object;
  object["version"] = row.note->version;
  object["summary"] = row.note->summary;
  object["sdk"] = row.note->sdk;
  object["options"] = ordered_json::array();
  for (const plugin::PluginOption& option : row.note->options) {
    object["options"].push_back(
        {{"name", option.name}, {"default", option.default_text}, {"help", option.help}});
  }
  object["arguments"] = ordered_json::array();
  for (const plugin::PluginArgument& argument : row.note->arguments) {
    object["arguments"].push_back({{"name", argument.name}, {"help", argument.help}});
  }
  return object;
}

std::string as_text(const Row& row, bool whole) {
  std::string text = fmt::format("{} {}", row.found.name, row.note ? row.note->version : "?");
  if (row.note) text += "  " + base::printable(row.note->summary);
  if (row.found.shadowed) text += "  (shadowed by an earlier folder)";
  if (!row.problem.empty()) text += "\n  refused: " + row.problem;
  if (!whole) return text;
  text += fmt::format("\n  file: {} ({})", row.found.file.string(), row.found.origin);
  if (!row.note) return text;
  text += fmt::format("\n  sdk: {}", row.note->sdk);
  for (const plugin::PluginOption& option : row.note->options) {
    text += fmt::format("\n  option {} = {}\n      {}", option.name, option.default_text,
                        base::printable(option.help));
  }
  for (const plugin::PluginArgument& argument : row.note->arguments) {
    text += fmt::format("\n  --{}\n      {}", argument.name, base::printable(argument.help));
  }
  return text;
}

std::string where_of(const settings::Host& host) {
  if (host.local) return "local:";
  std::string where = host.user.empty() ? host.address : host.user + "@" + host.address;
  return host.port_given ? fmt::format("{}:{}", where, host.port) : where;
}

}  // namespace

base::ExitCode list_plugins(const Invocation& invocation, const base::World& world) {
  const std::vector<std::filesystem::path> folders = plugin_folders_here(world);
  engine::PluginCatalog catalog(world, folders, invocation.request.plugin_path);
  std::vector<Row> rows;
  if (!invocation.name.empty()) {
    rows.push_back(examine(plugin::find_plugin(invocation.name, catalog.path())));
  } else {
    for (const plugin::FoundPlugin& found : plugin::list_plugins(catalog.path()))
      rows.push_back(examine(found));
  }
  ordered_json list = ordered_json::array();
  for (const Row& row : rows) {
    if (invocation.format == Format::json) {
      list.push_back(as_json(row));
    } else {
      *world.out << as_text(row, !invocation.name.empty()) << '\n';
    }
  }
  if (invocation.format == Format::json) *world.out << list.dump(2) << '\n';
  const bool refused = !invocation.name.empty() && !rows.front().problem.empty();
  return refused ? base::ExitCode::plugin_refused : base::ExitCode::ok;
}

base::ExitCode list_runs(const Invocation& invocation, const base::World& world) {
  const std::vector<engine::UnfinishedRun> runs = engine::unfinished_runs(world.state_folder());
  if (invocation.format == Format::json) {
    ordered_json list = ordered_json::array();
    for (const engine::UnfinishedRun& run : runs)
      list.push_back({{"run", run.id},
                      {"started", run.started},
                      {"user", run.who},
                      {"command", run.command},
                      {"state", run.state}});
    *world.out << list.dump(2, ' ', false, ordered_json::error_handler_t::replace) << '\n';
    return base::ExitCode::ok;
  }
  for (const engine::UnfinishedRun& run : runs) {
    std::string line = base::printable(run.id);
    for (const std::string& what : {run.started, run.who, run.command, run.state})
      line += what.empty() ? "" : "  " + base::printable(what);
    *world.out << line << '\n';
  }
  if (runs.empty() && invocation.detail != Detail::quiet) *world.err << "no run is unfinished\n";
  return base::ExitCode::ok;
}

base::ExitCode list_hosts(const Invocation& invocation, const base::World& world) {
  const settings::Project project = load_project(world, {});
  ordered_json list = ordered_json::array();
  for (const settings::Host& host : project.hosts) {
    if (invocation.format == Format::json) {
      list.push_back(
          {{"name", host.name}, {"target", where_of(host)}, {"groups", host.groups}, {"tags", host.tags}});
      continue;
    }
    *world.out << fmt::format("{} => {}", host.name, where_of(host));
    if (!host.groups.empty()) *world.out << fmt::format("  group {}", base::join(host.groups, ", "));
    if (!host.tags.empty()) *world.out << fmt::format("  @{}", base::join(host.tags, " @"));
    *world.out << '\n';
  }
  if (invocation.format == Format::json) *world.out << list.dump(2) << '\n';
  return base::ExitCode::ok;
}

base::ExitCode explain(const Invocation& invocation, const base::World& world) {
  const std::optional<settings::Project> project = try_load_project(world);
  *world.out << settings::explain_key(project ? &*project : nullptr, invocation.name) << std::endl;
  return base::ExitCode::ok;
}

}  // namespace porter::cli
