#pragma once
// Finds, for one module on one host in one config, the line that decides each option. Used by settings_for()
// and explain_key().

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/settings/project.h"
#include "core/settings/validate.h"

namespace porter::settings {

class Resolver {
 public:
  // All three must outlive the resolver. host may be null: then only option-CONFIG and option are looked at.
  Resolver(const Project& project, const Module& module, const Host* host, std::string config);

  // Throws base::Error when the module has no usable path for the host.
  ModuleSettings resolve() const;

  // The deciding line, or nothing when only the default is left.
  std::optional<Setting> find(const std::string& section, const std::vector<OptionSpec>& options,
                              const OptionSpec& spec) const;

  // What may be asked for in [plugin:NAME]: its schema's options, or when it has none the names that are
  // written.
  std::vector<OptionSpec> plugin_options(const std::string& plugin) const;

 private:
  void fill(ModuleSettings& settings, const std::string& section,
            const std::vector<OptionSpec>& options) const;
  std::string target_path(const ModuleSettings& settings) const;
  // The deciding lines of a section: declared name → option.
  std::map<std::string, const Option*> decide(const std::string& section,
                                              const std::vector<OptionSpec>& options) const;
  void decide_in(const Section& section, const std::vector<OptionSpec>& options,
                 std::map<std::string, const Option*>& decided) const;
  // How strong a suffix is for an option, 0 the strongest; nothing when it is not meant.
  std::optional<std::size_t> rank(const Reading& reading) const;

  const Project& project_;
  const Module& module_;
  const Host* host_;
  std::string config_;
  std::vector<const IniFile*> layers_;  // nearest first
  std::vector<std::string> suffixes_;   // strongest first; the last is ""
};

}  // namespace porter::settings
