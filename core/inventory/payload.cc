#include "core/inventory/payload.h"

#include <nlohmann/json.hpp>

#include "core/inventory/mask.h"

namespace porter::inventory {

namespace {

using Json = nlohmann::ordered_json;

Json json_of(const Requirement& requirement) {
  Json out = {{"name", requirement.name}};
  if (requirement.equation.empty()) return out;
  out["equation"] = requirement.equation;
  out["version"] = mask_text(requirement.version);
  return out;
}

Json json_of(const Package& package) {
  Json requirements = Json::array();
  for (const Requirement& requirement : package.requirements)
    requirements.push_back(json_of(requirement));
  Json version;
  if (package.version) version = mask_text(*package.version);
  return {{"requirements", std::move(requirements)}, {"version", std::move(version)}};
}

Json packages_json(const PickedVersions& report) {
  Json out = Json::object();
  for (const auto& [name, package] : report.packages)
    out[name] = json_of(package);
  return out;
}

Json version_map_json(const PickedVersions& report) {
  Json out = Json::object();
  for (const auto& [name, package] : report.packages)
    if (package.version) out[name] = mask_text(*package.version);
  return out;
}

// By shape only: packages named SecretStorage or tokenize-rt are pinned like any other.
Json pinned_json(const PickedVersions& report) {
  Json out = Json::object();
  for (const auto& [name, version] : report.pinned_versions)
    out[name] = mask_text(version);
  return out;
}

Json settings_json(const PickedVersions& report) {
  Json out = Json::object();
  for (const auto& [key, value] : mask_settings(report.buildout_config))
    out[key] = value;
  return out;
}

}  // namespace

std::string picked_versions_json(const PickedVersions& report, JsonStyle style) {
  Json out = Json::object();
  out["packages"] = packages_json(report);
  out["buildout_config"] = settings_json(report);
  out["versionmap"] = version_map_json(report);
  out["pinned_versions"] = pinned_json(report);
  out["started"] = base::format_local(report.started);
  out["finished"] = base::format_local(report.finished);
  out["hostname"] = mask_text(report.hostname);
  out["ipv4"] = mask_text(report.ipv4);
  constexpr int kIndent = 4;
  const int indent = style == JsonStyle::indented ? kIndent : -1;
  return out.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace porter::inventory
