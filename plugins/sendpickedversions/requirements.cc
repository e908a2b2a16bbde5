#include "plugins/sendpickedversions/requirements.h"

#include <algorithm>
#include <array>
#include <optional>

#include "core/base/text.h"

namespace porter::sendpickedversions {

namespace {

using inventory::Requirement;

constexpr std::string_view kBlanks = " \t\r";

bool is_name_character(char c) {
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return letter || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

bool is_version(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_name_character(c) || c == '+' || c == '!' || c == '*';
  });
}

std::string_view without_comment(std::string_view line) {
  for (std::size_t at = line.find('#'); at != std::string_view::npos; at = line.find('#', at + 1))
    if (at == 0 || kBlanks.find(line[at - 1]) != std::string_view::npos) return line.substr(0, at);
  return line;
}

// The line without comment, environment marker, per-requirement options and line continuation.
std::string_view bare(std::string_view line) {
  line = without_comment(line);
  line = line.substr(0, line.find(';'));
  line = line.substr(0, line.find(" --"));
  line = line.substr(0, line.find('\\'));
  return base::trim(line);
}

std::string_view take_name(std::string_view& rest) {
  std::size_t end = 0;
  while (end < rest.size() && is_name_character(rest[end]))
    ++end;
  const std::string_view name = rest.substr(0, end);
  rest = base::trim(rest.substr(end));
  return name.starts_with('-') || name.starts_with('.') ? std::string_view() : name;
}

bool skip_extras(std::string_view& rest) {
  if (!rest.starts_with('[')) return true;
  const std::size_t close = rest.find(']');
  if (close == std::string_view::npos) return false;
  rest = base::trim(rest.substr(close + 1));
  return true;
}

struct Specifier {
  std::string_view equation;
  std::string_view version;
};

std::optional<Specifier> parse_specifier(std::string_view text) {
  constexpr std::array<std::string_view, 8> kEquations = {"===", "==", ">=", "<=", "!=", "~=", ">", "<"};
  for (const std::string_view equation : kEquations) {
    if (!text.starts_with(equation)) continue;
    const std::string_view version = base::trim(text.substr(equation.size()));
    return is_version(version) ? std::optional(Specifier{equation, version}) : std::nullopt;
  }
  return std::nullopt;
}

bool pins(const Requirement& requirement, bool only_specifier) {
  return only_specifier && requirement.equation.starts_with("==") &&
         requirement.version.find('*') == std::string::npos;
}

void take_line(std::string_view line, Requirements& into) {
  std::string_view rest = bare(line);
  const std::string name(take_name(rest));
  if (name.empty() || !skip_extras(rest)) return;
  const bool seen = std::any_of(into.asked.begin(), into.asked.end(),
                                [&](const Requirement& other) { return other.name == name; });
  if (seen) return;
  if (rest.empty()) {
    into.asked.push_back({name, "", ""});
    return;
  }
  if (rest.starts_with('(') && rest.ends_with(')')) rest = base::trim(rest.substr(1, rest.size() - 2));
  const std::size_t comma = rest.find(',');
  const auto specifier = parse_specifier(base::trim(rest.substr(0, comma)));
  if (!specifier) return;
  into.asked.push_back({name, std::string(specifier->equation), std::string(specifier->version)});
  if (pins(into.asked.back(), comma == std::string_view::npos)) into.pinned.emplace(name, specifier->version);
}

}  // namespace

Requirements parse_requirements(std::string_view text) {
  Requirements out;
  for (const std::string& line : base::split(text, '\n'))
    take_line(line, out);
  return out;
}

std::map<std::string, std::string> parse_versions(std::string_view text) {
  std::map<std::string, std::string> out;
  bool ours = true;
  for (const std::string& line : base::split(text, '\n')) {
    std::string_view rest = bare(line);
    if (rest.starts_with('[')) {
      ours = base::lower(rest) == "[versions]";
      continue;
    }
    const std::string name(take_name(rest));
    if (!ours || name.empty() || !rest.starts_with('=')) continue;
    const std::string_view version = base::trim(rest.substr(
        rest.find_first_not_of('=') == std::string_view::npos ? rest.size() : rest.find_first_not_of('=')));
    if (is_version(version)) out.emplace(name, version);
  }
  return out;
}

}  // namespace porter::sendpickedversions
