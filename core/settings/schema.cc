#include "core/settings/schema.h"

#include "core/settings/ini.h"

namespace porter::settings {

const SectionSpec* find_section_spec(std::string_view section) {
  for (const SectionSpec& spec : core_sections()) {
    const bool family = spec.name.back() == ':';
    if (family ? section.substr(0, spec.name.size()) == spec.name : section == spec.name) return &spec;
  }
  return nullptr;
}

const OptionSpec* find_option_spec(const std::vector<OptionSpec>& options, std::string_view name) {
  const std::string wanted = canonical(name);
  for (const OptionSpec& spec : options) {
    if (canonical(spec.name) == wanted) return &spec;
  }
  return nullptr;
}

std::string_view describe(Type type) {
  switch (type) {
    case Type::text:
      return "text";
    case Type::boolean:
      return "yes or no";
    case Type::integer:
      return "a whole number";
    case Type::list:
      return "a list";
    case Type::path:
      return "a path";
    case Type::percent:
      return "a percentage from 0% to 100%";
    case Type::limit:
      return "none, a percentage or a number";
    case Type::duration:
      return "a duration such as 30s, 5min or 2h";
    case Type::url:
      return "a url";
    case Type::secret:
      return "a secret";
    case Type::words:
      return "a command with arguments";
    case Type::choice:
      return "one of the choices";
  }
  return "text";
}

}  // namespace porter::settings
