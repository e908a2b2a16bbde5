#include "core/settings/explain.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/suggest.h"
#include "core/base/text.h"
#include "core/settings/resolver.h"

namespace porter::settings {
namespace {

using base::Code;
using base::Error;

std::string default_of(const OptionSpec& spec) {
  return spec.default_text.empty() ? "none" : spec.default_text;
}

std::string type_of(const OptionSpec& spec) {
  return spec.type == Type::choice ? "one of " + base::join(spec.choices, ", ")
                                   : std::string(describe(spec.type));
}

std::string shown(const OptionSpec& spec, const std::string& text) {
  return spec.type == Type::secret && !text.empty() ? "(secret)" : base::printable_lines(text);
}

std::string from(const base::Location& where) {
  return fmt::format("{}:{}", where.file, where.line);
}

std::string suffix_note(Suffix suffix) {
  if (suffix == Suffix::none) return "";
  return suffix == Suffix::any
             ? "  May be written per host, group or config: option-HOST, option-GROUP, option-CONFIG.\n"
             : "  May be written per config: option-CONFIG.\n";
}

bool is_family(const SectionSpec& spec) {
  return spec.name.back() == ':';
}
std::string heading(const SectionSpec& spec) {
  return is_family(spec) ? spec.name + "NAME" : spec.name;
}

// A key, taken apart: "plugin:a.b.option" has dots on both sides, so the section is tried longest first.
struct Key {
  std::string section;  // empty: any
  std::string option;   // empty: the whole section
};

class Explainer {
 public:
  explicit Explainer(const Project* project) : project_(project) {}

  std::string explain(const std::string& text) {
    if (find_section_spec(text) != nullptr || find_section_spec(text + ":") != nullptr) add_section(text);
    for (std::size_t dot = text.rfind('.'); out_.empty() && dot != std::string::npos && dot > 0;
         dot = text.rfind('.', dot - 1)) {
      add_options({text.substr(0, dot), text.substr(dot + 1)});
    }
    if (out_.empty()) add_options({"", text});
    if (out_.empty()) throw_unknown(text);
    while (out_.back() == '\n')
      out_.pop_back();
    return out_;
  }

 private:
  void add_section(const std::string& name) {
    if (name.rfind("plugin:", 0) == 0 && name.size() > 7 && plugin_schema(name) == nullptr) return;
    const SectionSpec* spec = find_section_spec(name);
    if (spec == nullptr) spec = find_section_spec(name + ":");
    out_ +=
        fmt::format("[{}]  {}\n", name.find(':') == std::string::npos ? heading(*spec) : name, spec->help);
    if (!spec->supported) out_ += "  Not yet supported.\n";
    for (const std::string& line : base::split(spec->example, '\n')) {
      if (!line.empty()) out_ += "    " + line + "\n";
    }
    const PluginSchema* plugin = plugin_schema(name);
    for (const OptionSpec& option : plugin == nullptr ? spec->options : plugin->options)
      add_option(name, option);
  }

  void add_options(const Key& key) {
    for (const SectionSpec& spec : core_sections()) {
      const bool named = key.section.rfind(spec.name, 0) == 0 && is_family(spec);
      if (!key.section.empty() && !named && key.section != spec.name && key.section + ":" != spec.name)
        continue;
      const OptionSpec* option = find_option_spec(spec.options, key.option);
      if (option != nullptr) add_option(named ? key.section : heading(spec), *option);
    }
    if (project_ == nullptr) return;
    for (const auto& [name, schema] : project_->schemas) {
      if (!key.section.empty() && key.section != "plugin:" + name && key.section != name) continue;
      if (const OptionSpec* option = find_option_spec(schema.options, key.option))
        add_option("plugin:" + name, *option);
    }
  }

  void add_option(const std::string& section, const OptionSpec& spec) {
    out_ += fmt::format("[{}] {} = {} (default: {})\n", section, spec.name, type_of(spec), default_of(spec));
    out_ += fmt::format("  {}\n{}", spec.help, suffix_note(spec.suffix));
    if (project_ != nullptr) add_values(section, spec);
    out_ += '\n';
  }

  void add_values(const std::string& section, const OptionSpec& spec) {
    const SectionSpec* core = find_section_spec(section);
    const bool of_module = core != nullptr && core->files.front() == FileKind::module;
    if (!of_module) {
      add_lines(project_->files->project, section, spec);
      for (const IniFile& file : project_->files->defaults)
        add_lines(file, section, spec);
      return;
    }
    const PluginSchema* plugin = plugin_schema(section);
    for (const Module& module : project_->modules) {
      const bool uses =
          std::any_of(module.plugins.begin(), module.plugins.end(),
                      [&](const PluginSection& used) { return "plugin:" + used.name == section; });
      if (plugin != nullptr && !uses) continue;
      add_module_values(module, section, plugin == nullptr ? core->options : plugin->options, spec);
    }
  }

  // One line for all hosts, and one for each host that has something of its own.
  void add_module_values(const Module& module, const std::string& section,
                         const std::vector<OptionSpec>& options, const OptionSpec& spec) {
    const std::optional<Setting> common =
        Resolver(*project_, module, nullptr, "").find(section, options, spec);
    add_value(module.name, spec, common);
    for (const std::string& config : project_->config_folders) {
      add_if_other(module.name + " in config " + config, spec, common,
                   Resolver(*project_, module, nullptr, config).find(section, options, spec));
    }
    for (const Host& host : project_->hosts) {
      add_if_other(module.name + " on " + host.name, spec, common,
                   Resolver(*project_, module, &host, "").find(section, options, spec));
    }
  }

  void add_if_other(const std::string& who, const OptionSpec& spec, const std::optional<Setting>& common,
                    const std::optional<Setting>& own) {
    const bool same =
        own.has_value() == common.has_value() &&
        (!own || (own->where.line == common->where.line && own->where.file == common->where.file));
    if (!same) add_value(who, spec, own);
  }

  void add_value(const std::string& who, const OptionSpec& spec, const std::optional<Setting>& setting) {
    const std::string text = setting ? setting->text : spec.default_text;
    out_ += fmt::format("  {}: {} ({})\n", who, text.empty() ? "nothing" : shown(spec, text),
                        setting ? from(setting->where) : "default");
  }

  // Every line of the file that sets the option, in whichever section of the family.
  void add_lines(const IniFile& file, const std::string& section, const OptionSpec& spec) {
    const std::string family = section.substr(0, section.find("NAME"));
    for (const Section& candidate : file.sections) {
      const bool of_family = family.back() == ':' && candidate.name.rfind(family, 0) == 0;
      const Option* option = find_option(candidate, spec.name);
      if (option == nullptr || (!of_family && candidate.name != section)) continue;
      out_ +=
          fmt::format("  [{}]: {} ({})\n", candidate.name, shown(spec, option->text), from(option->where));
    }
  }

  const PluginSchema* plugin_schema(const std::string& section) const {
    if (project_ == nullptr || section.rfind("plugin:", 0) != 0) return nullptr;
    const auto found = project_->schemas.find(section.substr(7));
    return found == project_->schemas.end() ? nullptr : &found->second;
  }

  [[noreturn]] void throw_unknown(const std::string& text) const {
    std::vector<std::string> known;
    for (const SectionSpec& spec : core_sections()) {
      known.push_back(is_family(spec) ? spec.name.substr(0, spec.name.size() - 1) : spec.name);
      for (const OptionSpec& option : spec.options) {
        known.push_back(option.name);
        known.push_back(spec.name + "." + option.name);
      }
    }
    if (project_ != nullptr) {
      for (const auto& [name, schema] : project_->schemas) {
        known.push_back("plugin:" + name);
        for (const OptionSpec& option : schema.options)
          known.push_back(option.name);
      }
    }
    throw Error(Code::unknown_key, fmt::format("\"{}\" is no section and no key of a project file", text))
        .hint(base::did_you_mean(text, known));
  }

  const Project* project_;
  std::string out_;
};

std::string cell(std::string text) {
  for (std::size_t at = text.find('|'); at != std::string::npos; at = text.find('|', at + 2))
    text.insert(at, 1, '\\');
  return text;
}

std::string files_of(const SectionSpec& spec) {
  std::vector<std::string> names;
  for (const FileKind kind : spec.files) {
    names.emplace_back(kind == FileKind::project  ? "project.ini"
                       : kind == FileKind::module ? "module's ini"
                                                  : "porter.ini");
  }
  return base::join(names, ", ");
}

}  // namespace

std::string explain_key(const Project* project, const std::string& key) {
  return Explainer(project).explain(key);
}

std::string reference_markdown() {
  std::string out;
  for (const SectionSpec& spec : core_sections()) {
    out += fmt::format("### [{}]\n\n{}{} (In: {}.)\n\n", heading(spec), spec.help,
                       spec.supported ? "" : " **Not yet supported.**", files_of(spec));
    if (!spec.example.empty()) out += fmt::format("```ini\n{}\n```\n\n", spec.example);
    if (spec.options.empty()) continue;
    out += "| key | type | default | suffix | meaning |\n|---|---|---|---|---|\n";
    for (const OptionSpec& option : spec.options) {
      const char* suffix = option.suffix == Suffix::any      ? "any"
                           : option.suffix == Suffix::config ? "config"
                                                             : "–";
      out += fmt::format("| `{}` | {} | {} | {} | {} |\n", option.name, cell(type_of(option)),
                         option.default_text.empty() ? "–" : "`" + option.default_text + "`", suffix,
                         cell(option.help));
    }
    out += '\n';
  }
  return out;
}

}  // namespace porter::settings
