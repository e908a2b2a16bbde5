#include "core/settings/schema.h"

#include <array>
#include <utility>

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

std::optional<Type> parse_type(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, Type>, 12> types = {{{"text", Type::text},
                                                                        {"boolean", Type::boolean},
                                                                        {"integer", Type::integer},
                                                                        {"list", Type::list},
                                                                        {"path", Type::path},
                                                                        {"percent", Type::percent},
                                                                        {"limit", Type::limit},
                                                                        {"duration", Type::duration},
                                                                        {"url", Type::url},
                                                                        {"secret", Type::secret},
                                                                        {"words", Type::words},
                                                                        {"choice", Type::choice}}};
  for (const auto& [known, type] : types) {
    if (known == name) return type;
  }
  return std::nullopt;
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
