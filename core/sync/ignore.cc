#include "core/sync/ignore.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"

namespace porter::sync {
namespace {

constexpr std::string_view kAnyFolders = "**";

// A part of a pattern: [first, past), for brackets; `past` is 0 when the bracket never closes.
struct Bracket {
  bool negated = false;
  std::size_t first = 0;
  std::size_t past = 0;
};

// `open` is the place of the '['. A ']' that comes first is an ordinary member.
Bracket parse_bracket(std::string_view pattern, std::size_t open) {
  Bracket bracket;
  std::size_t at = open + 1;
  bracket.negated = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (bracket.negated) ++at;
  bracket.first = at;
  for (; at < pattern.size(); ++at) {
    if (pattern[at] == ']' && at > bracket.first) {
      bracket.past = at + 1;
      break;
    }
    if (pattern[at] == '\\') ++at;
  }
  return bracket;
}

bool bracket_matches(std::string_view pattern, const Bracket& bracket, char wanted) {
  const auto value = [](char c) { return static_cast<unsigned char>(c); };
  const std::size_t last = bracket.past - 1;
  bool found = false;
  for (std::size_t at = bracket.first; at < last; ++at) {
    if (pattern[at] == '\\' && at + 1 < last) ++at;
    const char low = pattern[at];
    char high = low;
    if (at + 2 < last && pattern[at + 1] == '-') {
      at += 2;
      if (pattern[at] == '\\' && at + 1 < last) ++at;
      high = pattern[at];
    }
    if (value(low) <= value(wanted) && value(wanted) <= value(high)) found = true;
  }
  return found != bracket.negated;
}

// Matches one byte of the name against the pattern at `at`, which is no '*'. Gives the place after the
// matched piece of pattern, or 0.
std::size_t match_one(std::string_view pattern, std::size_t at, char wanted) {
  if (pattern[at] == '?') return at + 1;
  if (pattern[at] == '[') {
    const Bracket bracket = parse_bracket(pattern, at);
    return bracket_matches(pattern, bracket, wanted) ? bracket.past : 0;
  }
  if (pattern[at] == '\\' && at + 1 < pattern.size()) ++at;
  return pattern[at] == wanted ? at + 1 : 0;
}

// Going back to the last '*' only is enough, and keeps the work below length × length.
bool name_matches(std::string_view pattern, std::string_view name) {
  constexpr std::size_t kNone = std::string_view::npos;
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t star = kNone;
  std::size_t star_name = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_name = n;
      continue;
    }
    const std::size_t next = p < pattern.size() ? match_one(pattern, p, name[n]) : 0;
    if (next != 0) {
      p = next;
      ++n;
    } else if (star != kNone) {
      p = star + 1;
      n = ++star_name;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*')
    ++p;
  return p == pattern.size();
}

// The same over whole components, with "**" in the place of '*'.
bool components_match(const std::vector<std::string>& pattern, const std::vector<std::string>& path) {
  constexpr std::size_t kNone = std::string::npos;
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t star = kNone;
  std::size_t star_path = 0;
  while (n < path.size()) {
    if (p < pattern.size() && pattern[p] == kAnyFolders) {
      star = p++;
      star_path = n;
    } else if (p < pattern.size() && name_matches(pattern[p], path[n])) {
      ++p;
      ++n;
    } else if (star != kNone) {
      p = star + 1;
      n = ++star_path;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == kAnyFolders)
    ++p;
  return p == pattern.size();
}

// Blanks at the end do not count, unless a backslash stands before them.
std::string_view without_trailing_blanks(std::string_view line) {
  while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r')) {
    if (line.back() != '\r' && line.size() > 1 && line[line.size() - 2] == '\\') break;
    line.remove_suffix(1);
  }
  return line;
}

void check_brackets(std::string_view component, std::string_view pattern, const std::string& origin,
                    int line) {
  for (std::size_t at = 0; at < component.size(); ++at) {
    if (component[at] == '\\') {
      ++at;
    } else if (component[at] == '[') {
      const Bracket bracket = parse_bracket(component, at);
      if (bracket.past == 0)
        throw base::Error(base::Code::bad_value,
                          fmt::format("ignore pattern \"{}\": '[' without its ']'", base::printable(pattern)))
            .at(origin, line)
            .hint("write \\[ for the character itself");
      at = bracket.past - 1;
    }
  }
}

}  // namespace

IgnoreRules IgnoreRules::standard() {
  IgnoreRules rules;
  rules.add_all({".git", ".gitmodules", ".gitattributes", ".gitignore", "/.porterignore"}, "built in");
  return rules;
}

void IgnoreRules::add(std::string_view pattern, const std::string& origin, int line) {
  std::string_view rest = without_trailing_blanks(pattern);
  if (rest.empty() || rest.front() == '#') return;
  Rule rule;
  rule.takes_back = rest.front() == '!';
  if (rule.takes_back) rest.remove_prefix(1);
  rule.folders_only = rest.ends_with('/');
  while (rest.ends_with('/'))
    rest.remove_suffix(1);
  rule.anchored = rest.find('/') != std::string_view::npos;
  for (std::string& component : base::split(rest, '/')) {
    check_brackets(component, pattern, origin, line);
    if (!component.empty()) rule.components.push_back(std::move(component));
  }
  if (rule.components.empty())
    throw base::Error(base::Code::bad_value,
                      fmt::format("ignore pattern \"{}\" names nothing", base::printable(pattern)))
        .at(origin, line);
  // "a/**" is what is in a, not a itself: at least one more component.
  if (rule.components.back() == kAnyFolders) rule.components.emplace_back("*");
  rules_.push_back(std::move(rule));
}

void IgnoreRules::add_all(const std::vector<std::string>& patterns, const std::string& origin) {
  for (const std::string& pattern : patterns)
    add(pattern, origin);
}

void IgnoreRules::add_file(std::string_view text, const std::string& origin) {
  int line = 0;
  for (const std::string& pattern : base::split(text, '\n'))
    add(pattern, origin, ++line);
}

bool IgnoreRules::ignores(std::string_view path, Kind kind) const {
  const std::vector<std::string> components = base::split(path, '/');
  for (auto rule = rules_.rbegin(); rule != rules_.rend(); ++rule) {
    if (rule->folders_only && kind != Kind::folder) continue;
    const bool matches = rule->anchored || rule->components.size() > 1
                             ? components_match(rule->components, components)
                             : name_matches(rule->components.front(), components.back());
    if (matches) return !rule->takes_back;
  }
  return false;
}

bool IgnoreRules::ignores_or_above(std::string_view path, Kind kind) const {
  if (rules_.empty()) return false;
  for (std::size_t slash = path.find('/'); slash != std::string_view::npos;
       slash = path.find('/', slash + 1)) {
    if (ignores(path.substr(0, slash), Kind::folder)) return true;
  }
  return ignores(path, kind);
}

}  // namespace porter::sync
