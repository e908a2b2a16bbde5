#pragma once
// What holds for one module on one host in one config: every option resolved (option-HOST, option-GROUP,
// option-CONFIG, option; module's ini, then project.ini, the user's and the site's defaults, then the
// built-in default). A value: it refers to nothing, may be copied and read by any thread.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/digest.h"
#include "core/settings/value.h"

namespace porter::settings {

struct Project;
struct Module;
struct Host;

enum class Layout { releases, inplace };
enum class LinkMode { automatic, reflink, copy, hard };
enum class Durability { full, none };
// Which files a deploy may delete: those that a manifest of ours lists, or unknown ones too.
enum class Deletion { listed, unknown };
// What becomes of pipes, sockets and devices in the source; none is ever deployed.
enum class SpecialFiles { refuse, skip };
// Who owns what is deployed: whoever deploys it, or as in the source.
enum class Owners { none, names, numbers };

struct ConfigFile {
  std::string destination;  // relative to the tree
  std::string source;       // relative to the module's config/<config>/
  bool optional = false;    // written with a trailing '?': may be absent
  base::Location where;
};

// One resolved option and where it came from; file empty: the built-in default.
struct Setting {
  std::string text;
  base::Location where;
};

class ModuleSettings {
 public:
  const std::string& module_name() const { return module_; }
  const std::string& host_name() const { return host_; }
  const std::string& config() const { return config_; }  // empty: none was chosen

  // Absolute path on the target. (On a local: host a relative one counts from the project's folder.)
  const std::string& path() const { return path_; }
  Layout layout() const;
  int keep_releases() const;  // at least 1
  std::vector<std::string> exclude() const;
  Limit max_delete() const;
  std::vector<std::string> build() const;                // empty: nothing to build
  const std::string& become() const { return become_; }  // the module's, else the host's; empty: nobody
  std::vector<std::string> generated() const;
  LinkMode link() const;
  Durability durability() const;
  Deletion deletion() const;
  SpecialFiles special() const;
  Owners owners() const;
  bool xattrs() const;
  std::vector<std::string> shared_paths() const;
  const std::vector<ConfigFile>& config_files() const { return config_files_; }
  // <module folder>/config/<config>; empty without a config.
  std::filesystem::path config_folder() const;

  // Any option, canonically named, of "module", "scm", "shared", "plugin:NAME", …; defaults included. Nothing
  // when it is neither set nor has a default.
  std::optional<std::string> get(const std::string& section, const std::string& option) const;
  std::optional<Setting> find(const std::string& section, const std::string& option) const;

  // Everything as text, section → option → value. Options of type secret are shown as "(secret)".
  std::map<std::string, std::map<std::string, std::string>> effective() const;
  // Identity of all values, secrets included (effective() hides these, so a changed one would not be
  // noticed).
  base::Digest digest() const;

 private:
  friend class Resolver;
  ModuleSettings() = default;
  struct Entry {
    std::string name;  // as declared
    Setting setting;
    bool set = false;  // in a file, or by a default that is not empty
    bool secret = false;
  };
  Option option(const std::string& section, const std::string& name) const;

  std::string module_;
  std::string host_;
  std::string config_;
  std::filesystem::path folder_;
  std::string path_;
  std::string become_;
  std::vector<ConfigFile> config_files_;
  std::map<std::string, std::map<std::string, Entry>> entries_;  // section → canonical name
};

// Throws base::Errors that name every config file which is not there (files written with '?' may be absent)
// or leads out of the module's config folder. Call before connecting.
void check_config_files(const ModuleSettings& settings);

// Throws base::Error when two modules of one host have the same path, or one lies in what a deploy of the
// other makes below its path (current, releases, shared, .porter). `all`: the modules of one run on one host.
void check_paths_apart(const std::vector<ModuleSettings>& all);

}  // namespace porter::settings
