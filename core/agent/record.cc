#include "core/agent/record.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.h"

namespace porter::agent {
namespace {

// Written last, so that a line that was cut is known.
constexpr std::string_view kEnd = "end";

bool plain(char c) {
  return c > ' ' && c < '\x7f' && c != '%' && c != '=';
}

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (plain(c))
      out += c;
    else
      out += fmt::format("%{:02x}", static_cast<unsigned char>(c));
  }
  return out;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

std::optional<std::string> unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_value(text[i + 1]);
    const int low = hex_value(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

}  // namespace

Record& Record::set(std::string_view name, std::string_view value) {
  const auto found =
      std::find_if(values_.begin(), values_.end(), [&](const auto& v) { return v.first == name; });
  if (found != values_.end())
    found->second = value;
  else
    values_.emplace_back(name, value);
  return *this;
}

const std::string& Record::get(std::string_view name) const {
  static const std::string kNothing;
  for (const auto& [key, value] : values_) {
    if (key == name) return value;
  }
  return kNothing;
}

std::string Record::line() const {
  std::string out;
  for (const auto& [name, value] : values_)
    out += escape(name) + "=" + escape(value) + " ";
  return out.append(kEnd);
}

std::optional<Record> Record::parse(std::string_view line) {
  Record record;
  const std::vector<std::string> words = base::split(line, ' ');
  if (words.back() != kEnd) return std::nullopt;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const std::size_t equal = words[i].find('=');
    if (equal == std::string::npos) return std::nullopt;
    const std::optional<std::string> name = unescape(std::string_view(words[i]).substr(0, equal));
    const std::optional<std::string> value = unescape(std::string_view(words[i]).substr(equal + 1));
    if (!name || !value) return std::nullopt;
    record.set(*name, *value);
  }
  return record;
}

std::string shortened(std::string_view text) {
  constexpr std::size_t kLongest = 4096;
  constexpr std::string_view kMore = "…";
  if (text.size() <= kLongest) return std::string(text);
  std::size_t end = kLongest - kMore.size();
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80)
    --end;
  return std::string(text.substr(0, end)).append(kMore);
}

}  // namespace porter::agent
