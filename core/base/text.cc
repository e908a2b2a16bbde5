#include "core/base/text.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

#include "core/base/error.h"

namespace porter::base {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// The length of the valid UTF-8 sequence at the start of `text`, 0 when there is none (overlong forms,
// surrogates and anything beyond U+10FFFF are invalid; table of RFC 3629 section 4).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto tail = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return tail(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool ok = tail(1, first == 0xE0 ? 0xA0 : 0x80, first == 0xED ? 0x9F : 0xBF) && tail(2);
    return ok ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool ok = tail(1, first == 0xF0 ? 0x90 : 0x80, first == 0xF4 ? 0x8F : 0xBF) && tail(2) && tail(3);
    return ok ? 4 : 0;
  }
  return 0;
}

// C1 controls (U+0080 to U+009F) drive terminals as well; bidirectional overrides make text read otherwise.
bool is_dangerous(std::string_view sequence) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(sequence[i]); };
  if (sequence.size() == 2) return at(0) == 0xC2 && at(1) < 0xA0;
  if (sequence.size() == 3 && at(0) == 0xE2 && at(1) == 0x80) return at(2) >= 0xAA && at(2) <= 0xAE;
  if (sequence.size() == 3 && at(0) == 0xE2 && at(1) == 0x81) return at(2) >= 0xA6 && at(2) <= 0xA9;
  return false;
}

std::string make_printable(std::string_view text, bool keep_lines) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const char c = text.front();
    const std::size_t length = utf8_length(text);
    const bool kept_control = keep_lines && (c == '\n' || c == '\t');
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
    const std::size_t taken = std::max<std::size_t>(length, 1);
    if (length == 0 || (control && !kept_control) || is_dangerous(text.substr(0, length))) {
      for (const char bad : text.substr(0, taken))
        out += fmt::format("\\x{:02x}", static_cast<unsigned char>(bad));
    } else {
      out += text.substr(0, taken);
    }
    text.remove_prefix(taken);
  }
  return out;
}

// Reads one word of split_words() from `text` at `i`, which stands on its first character.
std::string read_word(std::string_view text, std::size_t& i) {
  std::string word;
  while (i < text.size() && !is_blank(text[i])) {
    const char c = text[i++];
    if (c == '\\' && i < text.size()) {
      word += text[i++];
    } else if (c == '\'' || c == '"') {
      while (i < text.size() && text[i] != c) {
        if (c == '"' && text[i] == '\\' && i + 1 < text.size()) ++i;
        word += text[i++];
      }
      if (i == text.size())
        throw Error(Code::bad_value, fmt::format("the {} quote is never closed: {}", c, text));
      ++i;
    } else {
      word += c;
    }
  }
  return word;
}

}  // namespace

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back()))
    text.remove_suffix(1);
  return text;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> pieces;
  for (;;) {
    const std::size_t end = text.find(separator);
    pieces.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return pieces;
    text.remove_prefix(end + 1);
  }
}

std::vector<std::string> comma_list(std::string_view text) {
  std::vector<std::string> pieces;
  for (const std::string& piece : split(text, ',')) {
    if (const std::string_view kept = trim(piece); !kept.empty()) pieces.emplace_back(kept);
  }
  return pieces;
}

std::string join(const std::vector<std::string>& pieces, std::string_view separator) {
  return fmt::format("{}", fmt::join(pieces, separator));
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < text.size();) {
    if (is_blank(text[i])) {
      ++i;
    } else {
      words.push_back(read_word(text, i));
    }
  }
  return words;
}

std::string quote_shell(std::string_view text) {
  const auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("@%_+=:,./-").find(c) != std::string_view::npos;
  };
  if (!text.empty() && std::all_of(text.begin(), text.end(), plain)) return std::string(text);
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string quote_shell(const std::vector<std::string>& arguments) {
  std::string out;
  for (const std::string& argument : arguments) {
    if (!out.empty()) out += ' ';
    out += quote_shell(argument);
  }
  return out;
}

std::string printable(std::string_view text) {
  return make_printable(text, false);
}
std::string printable_lines(std::string_view text) {
  return make_printable(text, true);
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::optional<bool> parse_boolean(std::string_view text) {
  const std::string word = lower(trim(text));
  for (const char* yes : {"yes", "true", "on", "1"}) {
    if (word == yes) return true;
  }
  for (const char* no : {"no", "false", "off", "0"}) {
    if (word == no) return false;
  }
  return std::nullopt;
}

std::string format_bytes(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  static constexpr std::array<const char*, 5> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit)
    value /= 1024;
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string format_seconds(double seconds) {
  if (seconds < 10) return fmt::format("{:.2f} s", seconds);
  if (seconds < 60) return fmt::format("{:.0f} s", seconds);
  const auto whole = static_cast<std::uint64_t>(std::llround(seconds));
  return fmt::format("{} min {:02} s", whole / 60, whole % 60);
}

bool glob_matches(const std::string& pattern, const std::string& name) {
  return ::fnmatch(pattern.c_str(), name.c_str(), FNM_PATHNAME) == 0;
}

}  // namespace porter::base
