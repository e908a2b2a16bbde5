#include "core/settings/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "core/base/text.h"

namespace porter::settings {
namespace {

using base::Code;
using base::Error;

[[noreturn]] void refuse(const Option& option, std::string_view expected) {
  throw Error(Code::bad_value, fmt::format("{}: expected {}, got \"{}\"", option.name, expected, option.text))
      .at(option.where);
}

// A number that is not negative, or nothing.
std::optional<std::int64_t> parse_count(std::string_view text) {
  const std::optional<std::int64_t> number = base::parse_integer(text);
  return number && *number >= 0 && text.front() != '+' ? number : std::nullopt;
}

std::optional<int> parse_percent(std::string_view text) {
  if (text.empty() || text.back() != '%') return std::nullopt;
  const std::optional<std::int64_t> number = parse_count(base::trim(text.substr(0, text.size() - 1)));
  return number && *number <= 100 ? std::optional(static_cast<int>(*number)) : std::nullopt;
}

// "scheme://…" or "user@host:path".
bool is_url(std::string_view text) {
  if (text.front() == '-' || text.find_first_of(" \t\n") != std::string_view::npos) return false;
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  return text.substr(colon, 3) == "://" || text.substr(0, colon).find('@') != std::string_view::npos;
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::int64_t>, 7> units = {
      {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000}}};
  const std::size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::optional<std::int64_t> number = parse_count(text.substr(0, end));
  const std::string_view unit = base::trim(text.substr(end));
  const auto found =
      std::find_if(units.begin(), units.end(), [&](const auto& entry) { return entry.first == unit; });
  if (!number || found == units.end() || *number > 1000000000) return std::nullopt;
  return std::chrono::milliseconds(*number * found->second);
}

bool as_boolean(const Option& option) {
  const std::optional<bool> value = base::parse_boolean(option.text);
  if (!value) refuse(option, describe(Type::boolean));
  return *value;
}

std::int64_t as_integer(const Option& option) {
  const std::optional<std::int64_t> value = parse_count(option.text);
  if (!value) refuse(option, describe(Type::integer));
  return *value;
}

std::vector<std::string> as_list(const Option& option) {
  std::string text = option.text;
  std::replace(text.begin(), text.end(), '\n', ',');
  return base::comma_list(text);
}

std::vector<std::string> as_words(const Option& option) {
  try {
    return base::split_words(option.text);
  } catch (Error& error) {
    throw Error(Code::bad_value, fmt::format("{}: {}", option.name, error.message())).at(option.where);
  }
}

int as_percent(const Option& option) {
  const std::optional<int> value = parse_percent(option.text);
  if (!value) refuse(option, describe(Type::percent));
  return *value;
}

Limit as_limit(const Option& option) {
  if (base::lower(option.text) == "none") return {};
  if (const std::optional<int> percent = parse_percent(option.text)) return {Limit::Kind::percent, *percent};
  if (const std::optional<std::int64_t> count = parse_count(option.text)) return {Limit::Kind::count, *count};
  refuse(option, describe(Type::limit));
}

std::chrono::milliseconds as_duration(const Option& option) {
  const std::optional<std::chrono::milliseconds> value = parse_duration(option.text);
  if (!value) refuse(option, describe(Type::duration));
  return *value;
}

void check_value(const OptionSpec& spec, const Option& option) {
  const bool one_line = spec.type != Type::text && spec.type != Type::secret && spec.type != Type::words;
  if (one_line && spec.type != Type::list && option.text.find('\n') != std::string::npos) {
    throw Error(Code::bad_value, fmt::format("{}: expected one line, got {}", option.name,
                                             std::count(option.text.begin(), option.text.end(), '\n') + 1))
        .at(option.where)
        .hint("an indented line continues the value above it; begin a new option in the first column");
  }
  switch (spec.type) {
    case Type::boolean:
      as_boolean(option);
      break;
    case Type::integer:
      as_integer(option);
      break;
    case Type::words:
      as_words(option);
      break;
    case Type::percent:
      as_percent(option);
      break;
    case Type::limit:
      as_limit(option);
      break;
    case Type::duration:
      as_duration(option);
      break;
    case Type::url:
      if (!option.text.empty() && !is_url(option.text)) refuse(option, describe(Type::url));
      break;
    case Type::choice:
      if (std::find(spec.choices.begin(), spec.choices.end(), option.text) == spec.choices.end()) {
        refuse(option, "one of " + base::join(spec.choices, ", "));
      }
      break;
    case Type::text:
    case Type::list:
    case Type::path:
    case Type::secret:
      break;
  }
}

bool is_inner_path(std::string_view path) {
  if (path.empty() || path.front() == '/') return false;
  if (std::any_of(path.begin(), path.end(),
                  [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; })) {
    return false;
  }
  const std::vector<std::string> parts =
      base::split(path.back() == '/' ? path.substr(0, path.size() - 1) : path, '/');
  return std::none_of(parts.begin(), parts.end(),
                      [](const std::string& part) { return part.empty() || part == "." || part == ".."; });
}

bool is_plugin_name(std::string_view name) {
  const auto good = [](const std::string& part) {
    return !part.empty() && part.front() != '-' && std::all_of(part.begin(), part.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
             c == '-';
    });
  };
  const std::vector<std::string> parts = base::split(name, '.');
  return std::all_of(parts.begin(), parts.end(), good);
}

}  // namespace porter::settings
