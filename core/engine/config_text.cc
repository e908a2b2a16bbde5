#include "core/engine/config_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <optional>

#include "core/base/text.h"

namespace porter::engine {
namespace {

using base::trim;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_name_part(char c) {
  return is_letter(c) || is_digit(c) || c == '_' || c == '-' || c == '.';
}
bool is_name(std::string_view text) {
  return !text.empty() && (is_letter(text[0]) || text[0] == '_') &&
         std::all_of(text.begin(), text.end(), is_name_part);
}

// Tokens are used as names, too: what is shown is made of words, with digits at their ends only.
bool is_word(std::string_view text) {
  constexpr std::size_t kLetters = 20;
  constexpr std::size_t kDigits = 3;
  const auto digits = std::find_if_not(text.begin(), text.end(), is_letter);
  return digits - text.begin() <= std::ptrdiff_t{kLetters} &&
         text.end() - digits <= std::ptrdiff_t{kDigits} && std::all_of(digits, text.end(), is_digit);
}

bool is_made_of_words(std::string name) {
  constexpr std::size_t kLongest = 80;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '-' || c == '.'; }, '_');
  const std::vector<std::string> words = base::split(name, '_');
  return name.size() <= kLongest && std::all_of(words.begin(), words.end(), is_word);
}

struct Setting {
  std::string value;
  std::size_t line = 0;
};
// By full name: "section.name", "outer.inner". A name that is set again counts on its own: "name", "name#2".
using Settings = std::map<std::string, Setting>;

struct Assignment {
  std::size_t indent = 0;
  std::string_view name;
  char separator = '=';
  std::string_view value;
};

// A value that may go on in the next line: an open quote or bracket, a block of YAML, a document of a shell.
bool may_go_on(std::string_view value) {
  const auto count = [&](char c) { return std::count(value.begin(), value.end(), c); };
  const auto holds = [&](std::string_view text) { return value.find(text) != std::string_view::npos; };
  return count('"') % 2 != 0 || count('\'') % 2 != 0 || count('`') % 2 != 0 || count('(') != count(')') ||
         count('[') != count(']') || count('{') != count('}') || holds(R"(""")") || holds("'''") ||
         holds("<<") || holds("\\") || value.starts_with('|') || value.starts_with('>') ||
         value.ends_with(',');
}

// Nothing when the line is no whole assignment. "word=" and "word==" may be the end of something in Base64.
std::optional<Assignment> read_assignment(std::string_view line) {
  const std::size_t indent = line.find_first_not_of(' ');
  const std::size_t at = line.find_first_of("=:");
  if (at == std::string_view::npos || line[indent] == '\t') return std::nullopt;
  const Assignment found{indent, trim(line.substr(indent, at - indent)), line[at], trim(line.substr(at + 1))};
  const std::string_view behind = line.substr(at + 1);
  const bool colon = found.separator == ':';
  if (colon ? !behind.empty() && behind[0] != ' ' : found.value.empty() || found.value[0] == '=')
    return std::nullopt;
  // Indented lines are nested ones of YAML; elsewhere they may go on with the value above.
  if (indent > 0 && !colon) return std::nullopt;
  if (!is_name(found.name) || may_go_on(found.value)) return std::nullopt;
  return found;
}

class Reader {
 public:
  // Nothing when a line is not understood.
  std::optional<Settings> read(std::string_view text) {
    for (const std::string& line : base::split(text, '\n')) {
      ++number_;
      if (!take(line)) return std::nullopt;
    }
    return std::move(settings_);
  }

 private:
  bool take(std::string_view line) {
    const std::string_view words = trim(line);
    if (words.empty() || words[0] == '#' || words[0] == ';' || words.starts_with("//")) return true;
    if (line[0] == '[') return take_section(words);
    const auto found = read_assignment(line);
    if (!found) return false;
    if (found->indent > indent_ && !opens_) return false;  // goes on with the value above
    while (!outer_.empty() && outer_.back().indent >= found->indent)
      outer_.pop_back();
    add(*found);
    indent_ = found->indent;
    opens_ = found->value.empty();
    if (opens_) outer_.push_back({found->indent, std::string(found->name)});
    return true;
  }

  bool take_section(std::string_view words) {
    if (!words.ends_with(']')) return false;
    section_ = trim(words.substr(1, words.size() - 2));
    outer_.clear();
    indent_ = 0;
    opens_ = false;
    return is_name(section_);
  }

  void add(const Assignment& found) {
    std::string name = section_.empty() ? "" : section_ + ".";
    for (const Outer& outer : outer_)
      name += outer.name + ".";
    name += found.name;
    const int times = ++times_[name];
    if (times > 1) name += fmt::format("#{}", times);
    settings_[name] = {std::string(found.value), number_};
  }

  struct Outer {
    std::size_t indent = 0;
    std::string name;
  };

  std::size_t number_ = 0;
  std::string section_;
  std::vector<Outer> outer_;
  std::size_t indent_ = 0;  // of the last assignment
  bool opens_ = false;      // it was "name:", and more indented ones may follow
  std::map<std::string, int> times_;
  Settings settings_;
};

class Changes {
 public:
  Changes(const std::string& path, Shown shown) : path_(path), shown_(shown) {}

  std::vector<std::string> between(const Settings& before, const Settings& after) {
    for (const auto& [name, setting] : before) {
      if (!after.contains(name)) say_one(name, path_, setting.value, "removed");
    }
    for (const auto& [name, setting] : after) {
      const std::string where = fmt::format("{}:{}", path_, setting.line);
      const auto old = before.find(name);
      if (old == before.end())
        say_one(name, where, setting.value, "added");
      else if (old->second.value != setting.value)
        say_change(name, where, old->second.value, setting.value);
    }
    if (lines_.empty()) lines_.push_back(path_ + ": only comments, empty lines or the order change");
    return std::move(lines_);
  }

 private:
  bool is_open(const std::string& value) const {
    return shown_ == Shown::simple_values && is_simple_value(value);
  }
  static std::string shown_name(const std::string& name) {
    const std::string plain = name.substr(0, name.find('#'));
    return is_made_of_words(plain) ? plain : "a setting";
  }
  void say_one(const std::string& name, const std::string& where, const std::string& value,
               const char* what) {
    const std::string shown = is_open(value) ? ": " + value : "";
    lines_.push_back(fmt::format("{}: {} {}{}", where, shown_name(name), what, shown));
  }
  // Both or none: a value that is simple now says nothing of the one before.
  void say_change(const std::string& name, const std::string& where, const std::string& before,
                  const std::string& after) {
    const bool open = is_open(before) && is_open(after);
    lines_.push_back(open ? fmt::format("{}: {}: {} -> {}", where, shown_name(name), before, after)
                          : fmt::format("{}: {} changed", where, shown_name(name)));
  }

  const std::string& path_;
  Shown shown_;
  std::vector<std::string> lines_;
};

std::vector<std::string> sorted_lines(std::string_view text) {
  std::vector<std::string> lines = base::split(text, '\n');
  if (lines.back().empty()) lines.pop_back();
  std::sort(lines.begin(), lines.end());
  return lines;
}

std::size_t count_missing(const std::vector<std::string>& from, const std::vector<std::string>& in) {
  std::vector<std::string> left;
  std::set_difference(from.begin(), from.end(), in.begin(), in.end(), std::back_inserter(left));
  return left.size();
}

std::string count_lines(const std::string& path, std::string_view before, std::string_view after) {
  const std::vector<std::string> old_lines = sorted_lines(before);
  const std::vector<std::string> new_lines = sorted_lines(after);
  return fmt::format("{}: {} lines added, {} removed", path, count_missing(new_lines, old_lines),
                     count_missing(old_lines, new_lines));
}

}  // namespace

bool is_simple_value(std::string_view value) {
  static constexpr std::array<std::string_view, 16> kWords = {
      "true", "false", "yes",  "no",     "on",      "off",  "null",     "none",
      "~",    "debug", "info", "notice", "warning", "warn", "critical", "error"};
  const bool quoted = value.size() > 2 && (value[0] == '"' || value[0] == '\'') && value.back() == value[0];
  if (quoted) value = value.substr(1, value.size() - 2);
  if (std::find(kWords.begin(), kWords.end(), base::lower(value)) != kWords.end()) return true;
  if (value.starts_with('-')) value.remove_prefix(1);
  constexpr std::ptrdiff_t kDigits = 3;
  const std::ptrdiff_t digits = std::count_if(value.begin(), value.end(), is_digit);
  const std::size_t points = value.size() - static_cast<std::size_t>(digits);
  return digits >= 1 && digits <= kDigits && points <= 1 &&
         std::count(value.begin(), value.end(), '.') == static_cast<std::ptrdiff_t>(points);
}

std::vector<std::string> describe_changes(const std::string& path, std::string_view before,
                                          std::string_view after, Shown shown) {
  if (before == after) return {};
  const auto old_settings = Reader().read(before);
  const auto new_settings = Reader().read(after);
  if (!old_settings || !new_settings) return {count_lines(path, before, after)};
  return Changes(path, shown).between(*old_settings, *new_settings);
}

}  // namespace porter::engine
