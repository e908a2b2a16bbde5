#pragma once
// What the libFuzzer targets share: how a broken promise is told, and what a parser may answer. A target
// takes any bytes; beside crashes, sanitizers and time-outs it finds what require() names.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace porter::fuzz {

inline void require(bool holds, std::string_view promise) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %.*s\n", static_cast<int>(promise.size()), promise.data());
  std::abort();
}

inline std::string_view bytes_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

inline bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

// What people would read of it holds nothing that a terminal would obey.
inline void check_shown(const base::Error& error) {
  std::string shown = base::format_error(error);
  std::replace(shown.begin(), shown.end(), '\n', ' ');
  std::replace(shown.begin(), shown.end(), '\t', ' ');
  require(!has_control(shown), "a formatted error holds no control characters");
}

// Runs a parser. False when it refused its input with one of these codes; whatever else it throws ends the
// program.
template <class Work>
bool accepts(std::initializer_list<base::Code> refusals, Work&& work) {
  try {
    work();
    return true;
  } catch (const base::Error& error) {
    check_shown(error);
    if (std::find(refusals.begin(), refusals.end(), error.code()) == refusals.end()) {
      std::fprintf(stderr, "%s\n", base::format_error(error).c_str());
      require(false, "a refusal has a code of its contract");
    }
    return false;
  }
}

inline std::size_t lines_of(std::string_view text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
}

}  // namespace porter::fuzz
