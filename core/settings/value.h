#pragma once
// Typed readings of an option's text. Each throws base::Error(bad_value) that names the option, what was
// expected and what stands there, at its line. Pure.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "core/settings/ini.h"
#include "core/settings/schema.h"

namespace porter::settings {

// "none", a share of something in percent, or a count.
struct Limit {
  enum class Kind { none, percent, count };
  Kind kind = Kind::none;
  std::int64_t value = 0;
  bool operator==(const Limit&) const = default;
};

bool as_boolean(const Option& option);
std::int64_t as_integer(const Option& option);
std::vector<std::string> as_list(const Option& option);
std::vector<std::string> as_words(const Option& option);
int as_percent(const Option& option);  // 0 to 100
Limit as_limit(const Option& option);
std::chrono::milliseconds as_duration(const Option& option);
// "500ms", "30s", "5m", "1h"; nothing for what is no duration.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

// Throws what the reading of `option` as `spec.type` would throw; nothing else happens.
void check_value(const OptionSpec& spec, const Option& option);

// A path below some folder: relative, not empty, without "." and "..", without control characters.
bool is_inner_path(std::string_view path);

// A dotted name such as my.private.plugin: plugins are files that are looked up by it.
bool is_plugin_name(std::string_view name);

}  // namespace porter::settings
