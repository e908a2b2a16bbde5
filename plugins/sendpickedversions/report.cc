#include "plugins/sendpickedversions/report.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <optional>

#include "core/base/text.h"
#include "plugins/sendpickedversions/requirements.h"

namespace porter::sendpickedversions {

namespace {

using inventory::Package;
using inventory::PickedVersions;
using Settings = std::map<std::string, std::string>;

base::WallTime wall_time(double seconds) {
  return base::WallTime(std::chrono::microseconds(std::llround(seconds * 1e6)));
}

// "1a2b3c4d (branch main)" → "1a2b3c4d": two releases compare by it, and it fits where a version is shown.
std::optional<std::string> version_of(const Context& context) {
  const std::string label = context.version();
  const std::string version(base::trim(std::string_view(label).substr(0, label.find(" ("))));
  if (!version.empty()) return version;
  const std::string commit = context.commit();
  return commit.empty() ? std::nullopt : std::optional(commit);
}

std::string buildout_name(const Module& module, const Context& context) {
  std::string set = option(module, "buildoutname");
  if (!set.empty()) return set;
  const auto folder = std::filesystem::path(context.module_directory()).lexically_normal();
  const std::string name = (folder.has_filename() ? folder : folder.parent_path()).filename().string();
  return name.empty() ? context.module() : name;
}

// Every effective setting as "section.option"; this plugin's own ones bare, as [buildout] had them.
Settings flat_settings(const Context& context) {
  Settings out;
  for (const auto& [section, options] : context.effective_settings())
    for (const auto& [name, value] : options)
      out[section == kSection ? name : fmt::format("{}.{}", section, name)] = value;
  return out;
}

void add_context(const Context& context, Settings& into) {
  into["porter.project"] = context.project();
  into["porter.module"] = context.module();
  into["porter.host"] = context.host();
  into["porter.config"] = context.config();
  into["porter.ref"] = context.ref();
  into["porter.version"] = context.version();
  into["porter.commit"] = context.commit();
  into["porter.release"] = context.release_id();
  into["porter.run"] = context.run_id();
}

std::string read_if_there(Module& module, const std::string& name) {
  constexpr std::uint64_t kLimit = 1U << 20U;
  auto& target = module.service<Target>();
  const std::string path = module.destpath() + "/" + name;
  return target.exists(path) ? target.read(path, kLimit) : "";
}

void pin(const Settings& versions, PickedVersions& report) {
  for (const auto& [name, version] : versions) {
    report.pinned_versions.emplace(name, version);
    report.packages.emplace(name, Package{{}, version});
  }
}

void add_packages(Module& module, const Context& context, PickedVersions& report) {
  const Requirements found = parse_requirements(read_if_there(module, "requirements.txt"));
  report.packages[context.module()] = {found.asked, version_of(context)};
  pin(found.pinned, report);
  pin(parse_versions(read_if_there(module, "versions")), report);
}

std::string fact(const Settings& facts, const std::string& name, const std::string& otherwise) {
  const auto found = facts.find(name);
  return found == facts.end() || found->second.empty() ? otherwise : found->second;
}

}  // namespace

std::string option(const Module& module, std::string_view name) {
  return module.get_config_value(kSection, name).value_or("");
}

PickedVersions collect(Module& module, base::WallTime finished) {
  const auto& context = module.service<Context>();
  const Settings facts = module.service<Target>().facts();
  PickedVersions report;
  add_packages(module, context, report);
  report.buildout_config = flat_settings(context);
  add_context(context, report.buildout_config);
  report.buildout_config["directory"] = module.livepath();
  report.buildout_config["buildoutname"] = buildout_name(module, context);
  report.started = wall_time(context.started());
  report.finished = finished;
  report.hostname = fact(facts, "hostname", context.host());
  report.ipv4 = fact(facts, "ipv4", "");
  return report;
}

}  // namespace porter::sendpickedversions
