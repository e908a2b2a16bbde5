#include "core/settings/validate.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/suggest.h"
#include "core/base/text.h"
#include "core/settings/value.h"

namespace porter::settings {
namespace {

using base::Code;
using base::Error;

bool is_known(const Suffixes& suffixes, const std::string& suffix) {
  return suffixes.places.count(suffix) != 0 || suffixes.configs.count(suffix) != 0;
}

bool allows(const SectionSpec& spec, FileKind kind) {
  return std::find(spec.files.begin(), spec.files.end(), kind) != spec.files.end();
}

std::string_view describe_file(FileKind kind) {
  switch (kind) {
    case FileKind::project:
      return "project.ini";
    case FileKind::module:
      return "a module's ini";
    case FileKind::defaults:
      return "porter.ini of the user or the site";
  }
  return "another file";
}

class FileValidator {
 public:
  FileValidator(FileKind kind, const ValidationContext& context, std::vector<Error>& problems)
      : kind_(kind), context_(context), problems_(problems) {}

  void validate(const Section& section) {
    const SectionSpec* spec = find_section_spec(section.name);
    if (spec == nullptr) return report_unknown_section(section);
    if (!spec->supported) {
      return report(
          Error(Code::unsupported, fmt::format("[{}] is not yet supported", section.name)).at(section.where));
    }
    if (spec->name == section.name && spec->name.back() == ':') {
      return report(
          Error(Code::unknown_section, fmt::format("[{}] has no name after the colon", section.name))
              .at(section.where));
    }
    if (!allows(*spec, kind_)) return report_wrong_file(section, *spec);
    if (spec->free_keys) return;
    if (spec->name == "plugin:") return validate_plugin(section);
    validate_options(section, spec->options);
  }

 private:
  void report(Error&& error) { problems_.push_back(std::move(error)); }

  void report_unknown_section(const Section& section) {
    std::vector<std::string> known;
    const std::string family = section.name.substr(0, section.name.find(':') + 1);
    const std::string rest = section.name.substr(family.size());
    for (const SectionSpec& spec : core_sections()) {
      if (!allows(spec, kind_)) continue;
      known.push_back(spec.name.back() == ':' && !family.empty() ? spec.name + rest : spec.name);
    }
    report(Error(Code::unknown_section, fmt::format("unknown section [{}]", section.name))
               .at(section.where)
               .hint(base::did_you_mean(section.name, known)));
  }

  void report_wrong_file(const Section& section, const SectionSpec& spec) {
    report(Error(Code::unknown_section,
                 fmt::format("[{}] has no place in {}", section.name, describe_file(kind_)))
               .at(section.where)
               .hint(fmt::format("it belongs into {}", describe_file(spec.files.front()))));
  }

  void validate_plugin(const Section& section) {
    const std::string name = section.name.substr(std::string_view("plugin:").size());
    if (!is_plugin_name(name)) {
      return report(
          Error(Code::bad_value, fmt::format("\"{}\" is no name for a plugin", name))
              .at(section.where)
              .hint("a plugin's name has parts of letters, digits, _ and -, with dots between them"));
    }
    if (kind_ == FileKind::project && context_.used_plugins.count(name) == 0) {
      const std::vector<std::string> used(context_.used_plugins.begin(), context_.used_plugins.end());
      std::string hint = base::did_you_mean(name, used);
      if (hint.empty())
        hint = fmt::format("[{}] in a module's ini uses it; here are only defaults", section.name);
      return report(Error(Code::missing, fmt::format("no module uses the plugin \"{}\"", name))
                        .at(section.where)
                        .hint(hint));
    }
    const auto schema = context_.schemas.find(name);
    if (schema != context_.schemas.end()) validate_options(section, schema->second.options);
  }

  void validate_options(const Section& section, const std::vector<OptionSpec>& options) {
    std::map<std::string, const Option*> seen;
    for (const Option& option : section.options) {
      const auto [first, fresh] = seen.emplace(canonical(option.name), &option);
      if (!fresh && first->second->name != option.name) {
        report(Error(Code::bad_value, fmt::format("\"{}\" is already set in line {}, as \"{}\"", option.name,
                                                  first->second->where.line, first->second->name))
                   .at(option.where));
      }
      validate_option(section, options, option);
    }
  }

  void validate_option(const Section& section, const std::vector<OptionSpec>& options, const Option& option) {
    const std::optional<Reading> reading = read_option_name(options, option.name, context_.suffixes);
    if (!reading) return report_unknown_key(section, options, option);
    const OptionSpec& spec = *reading->spec;
    if (!reading->suffix.empty() && !check_suffix(spec, reading->suffix, section, options, option)) return;
    const bool own = spec.name == "path" || spec.name == "depends";
    if (section.name == "module" && own && kind_ != FileKind::module) {
      return report(
          Error(Code::unknown_key, fmt::format("\"{}\" cannot be a default for all modules", option.name))
              .at(option.where)
              .hint("it belongs into a module's ini"));
    }
    try {
      check_value(spec, option);
    } catch (Error& error) {
      report(std::move(error));
    }
  }

  // Whether the suffix may stand there; reports it otherwise.
  bool check_suffix(const OptionSpec& spec, const std::string& suffix, const Section& section,
                    const std::vector<OptionSpec>& options, const Option& option) {
    if (spec.suffix == Suffix::none) {
      report_unknown_key(section, options, option);
      return false;
    }
    if (is_known(context_.suffixes, suffix)) return true;
    report(
        Error(Code::unknown_key, fmt::format("{}: \"{}\" is no host, group or config", option.name, suffix))
            .at(option.where)
            .hint(suggest({context_.suffixes.places, context_.suffixes.configs}, suffix, spec)));
    return false;
  }

  static std::string suggest(const std::vector<std::set<std::string>>& sets, const std::string& suffix,
                             const OptionSpec& spec) {
    std::vector<std::string> known;
    for (const std::set<std::string>& set : sets)
      known.insert(known.end(), set.begin(), set.end());
    const std::string near = base::nearest(suffix, known);
    return near.empty() ? "" : fmt::format("did you mean \"{}-{}\"?", spec.name, near);
  }

  void report_unknown_key(const Section& section, const std::vector<OptionSpec>& options,
                          const Option& option) {
    std::vector<std::string> known;
    for (const OptionSpec& spec : options)
      known.push_back(spec.name);
    std::string hint = base::did_you_mean(option.name, known);
    if (hint.empty()) hint = known.empty() ? "it has no options" : "known are: " + base::join(known, ", ");
    if (canonical(option.name) == "use_rsync")
      hint = "nothing uses rsync any more; a hook that replaces SIG_SOURCE_SEND sends in its own way";
    report(Error(Code::unknown_key, fmt::format("unknown key \"{}\" in [{}]", option.name, section.name))
               .at(option.where)
               .hint(hint));
  }

  FileKind kind_;
  const ValidationContext& context_;
  std::vector<Error>& problems_;
};

}  // namespace

std::optional<Reading> read_option_name(const std::vector<OptionSpec>& options, std::string_view name,
                                        const Suffixes& suffixes) {
  if (const OptionSpec* exact = find_option_spec(options, name)) return Reading{exact, ""};
  const std::string written = canonical(name);
  std::optional<Reading> best;
  bool best_known = false;
  for (const OptionSpec& spec : options) {
    std::string start = canonical(spec.name);
    if (start == "vars.*") {  // a family of options, not an option
      if (written.size() > 5 && written.rfind("vars.", 0) == 0) return Reading{&spec, ""};
      continue;
    }
    start += '_';
    if (written.size() <= start.size() || written.rfind(start, 0) != 0) continue;
    const std::string suffix = written.substr(start.size());
    const bool known = is_known(suffixes, suffix);
    const bool better = !best || (known && !best_known) ||
                        (known == best_known && spec.name.size() > best->spec->name.size());
    if (!better) continue;
    best = Reading{&spec, suffix};
    best_known = known;
  }
  return best;
}

void validate_file(const IniFile& file, FileKind kind, const ValidationContext& context,
                   std::vector<Error>& problems) {
  FileValidator validator(kind, context, problems);
  for (const Section& section : file.sections)
    validator.validate(section);
}

}  // namespace porter::settings
