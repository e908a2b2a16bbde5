#pragma once
// The picked-version report of one module on one host, in the format that buildout.sendpickedversions sends
// and Whiskers reads. Plain values in, JSON text out; any thread.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"

namespace porter::inventory {

// What a package asks for; of several specifiers only the first. equation and version are both set or both
// empty.
struct Requirement {
  std::string name;
  std::string equation;  // "==", ">=", …
  std::string version;
  friend bool operator==(const Requirement&, const Requirement&) = default;
};

struct Package {
  std::vector<Requirement> requirements;
  std::optional<std::string> version;  // nothing: null in the report
};

struct PickedVersions {
  std::map<std::string, Package> packages;  // by name
  // The effective settings; "directory" and "buildoutname" name the installation.
  std::map<std::string, std::string> buildout_config;
  std::map<std::string, std::string> pinned_versions;  // as written; may begin with an operator
  base::WallTime started;
  base::WallTime finished;
  std::string hostname;  // of the target
  std::string ipv4;
};

enum class JsonStyle {
  compact,   // one line, for the wire
  indented,  // by four, for people and files
};

// The fields in this order: packages, buildout_config, versionmap (packages that have a version),
// pinned_versions, started, finished (local time, microseconds, no zone), hostname, ipv4. Secrets are always
// masked (mask.h): buildout_config by key and by shape, everything else by shape. Bytes that are no UTF-8
// become U+FFFD.
std::string picked_versions_json(const PickedVersions& report, JsonStyle style);

}  // namespace porter::inventory
