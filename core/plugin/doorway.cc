#include "core/plugin/doorway.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/base/error.h"
#include "core/base/suggest.h"
#include "core/base/text.h"

namespace porter::plugin {
namespace {

using Fields = std::map<std::string, std::string>;

Fields fields_of(const std::string& fingerprint) {
  Fields fields;
  for (const std::string& piece : base::split(fingerprint, ';')) {
    const std::size_t equals = std::min(piece.find('='), piece.size());
    fields[piece.substr(0, equals)] = piece.substr(std::min(equals + 1, piece.size()));
  }
  return fields;
}

std::string value_of(const Fields& fields, const std::string& key) {
  const auto found = fields.find(key);
  return found == fields.end() ? "-" : base::printable(found->second);
}

// Only the rows that differ.
std::string difference(const std::string& plugin, const std::string& program) {
  const Fields theirs = fields_of(plugin);
  Fields all = fields_of(program);
  const Fields ours = all;
  all.insert(theirs.begin(), theirs.end());
  std::string table = fmt::format("  {:<10}  {:<12}  {}", "field", "plugin", "porter-admin");
  for (const auto& entry : all) {
    const std::string left = value_of(theirs, entry.first);
    const std::string right = value_of(ours, entry.first);
    if (left != right)
      table += fmt::format("\n  {:<10}  {:<12}  {}", base::printable(entry.first), left, right);
  }
  return table;
}

base::Error refusal(const PluginNote& note, const std::string& reason) {
  return base::Error(base::Code::plugin_refused, reason).at(note.path.string());
}

void check_fingerprint(const PluginNote& note) {
  if (note.fingerprint == PORTER_FINGERPRINT) return;
  throw refusal(note, fmt::format("{} was built for another porter-admin:\n{}", base::printable(note.name),
                                  difference(note.fingerprint, PORTER_FINGERPRINT)))
      .hint(fmt::format(
          "rebuild it with this porter-admin's SDK {} (it was built with {}) and without the options "
          "that the table names",
          PORTER_SDK_VERSION, note.sdk.empty() ? "an unknown one" : note.sdk));
}

void check_kind(const PluginNote& note, const Expectation& expectation) {
  if (note.kind == expectation.kind) return;
  if (note.kind == "deployment") {
    throw refusal(note, "it is a module's hook (PORTER_DEPLOYMENT), and was asked for as a plugin")
        .hint("put it beside the module's ini as deployment.so, or use PORTER_PLUGIN");
  }
  throw refusal(note, fmt::format("it is a {}, and was asked for as a {}", base::printable(note.kind),
                                  expectation.kind))
      .hint("a hook uses PORTER_DEPLOYMENT; a plugin is named in the ini as [plugin:NAME]");
}

void check_name(const PluginNote& note, const Expectation& expectation) {
  if (expectation.name.empty() || note.name == expectation.name) return;
  throw refusal(note, fmt::format("it calls itself \"{}\", and was asked for as \"{}\"",
                                  base::printable(note.name), expectation.name))
      .hint(
          fmt::format("write [plugin:{}] in the ini and name the file so, or mend the name in PORTER_PLUGIN",
                      base::printable(note.name)));
}

void check_needs(const PluginNote& note, const Expectation& expectation) {
  for (const std::string& need : note.needs) {
    const auto& offered = expectation.services;
    if (std::find(offered.begin(), offered.end(), need) != offered.end()) continue;
    const std::string near = base::did_you_mean(need, offered);
    throw refusal(note, fmt::format("{} needs the service {}, which this porter-admin does not have",
                                    base::printable(note.name), base::printable(need)))
        .hint(near.empty() ? "a newer porter-admin may have it; this one has " + base::join(offered, ", ")
                           : near);
  }
}

}  // namespace

std::vector<std::string> sdk_services() {
  return {std::string(Context::kId), std::string(Target::kId), std::string(Undo::kId),
          std::string(Sender::kId), std::string(Log::kId)};
}

void check_note(const PluginNote& note, const Expectation& expectation) {
  check_fingerprint(note);
  check_kind(note, expectation);
  check_name(note, expectation);
  check_needs(note, expectation);
}

void check_arguments(const std::vector<PluginNote>& notes) {
  std::map<std::string, const PluginNote*> owners;
  for (const PluginNote& note : notes) {
    for (const PluginArgument& argument : note.arguments) {
      const auto [found, fresh] = owners.emplace(argument.name, &note);
      if (fresh || found->second->name == note.name) continue;
      throw refusal(note, fmt::format("{} declares the argument --{}, which {} ({}) declares too",
                                      base::printable(note.name), base::printable(argument.name),
                                      base::printable(found->second->name), found->second->path.string()))
          .hint("use one of the two plugins, or rename the argument in its PORTER_ARGUMENT");
    }
  }
}

}  // namespace porter::plugin
