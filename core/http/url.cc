#include "core/http/url.h"

#include <algorithm>

#include "core/base/text.h"

namespace porter::http {

namespace {

constexpr std::string_view kSchemeEnd = "://";

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_scheme_character(char c) {
  return is_alphanumeric(c) || c == '+' || c == '-' || c == '.';
}

bool ends_url(char c) {
  return static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '\'' || c == '<' || c == '>' || c == '`';
}

bool is_port(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string_view scheme_before(std::string_view text, std::size_t end) {
  std::size_t begin = end;
  while (begin > 0 && is_scheme_character(text[begin - 1]))
    --begin;
  return text.substr(begin, end - begin);
}

// Where the userinfo of "user:password@host/…" ends (the index of its '@'), or npos.
std::size_t userinfo_end(std::string_view rest) {
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) return at;
  const std::size_t colon = authority.rfind(':');
  const bool bracketed = authority.find(']') != std::string_view::npos;
  if (colon == std::string_view::npos || bracketed || is_port(authority.substr(colon + 1)))
    return std::string_view::npos;
  return rest.rfind('@');
}

bool hides(std::string_view scheme, std::string_view userinfo) {
  if (userinfo.find(':') != std::string_view::npos) return true;
  const std::string name = base::lower(scheme);
  return name.find("http") != std::string::npos || name.find("ftp") != std::string::npos;
}

}  // namespace

std::string redact_urls(std::string_view text) {
  std::string out;
  std::size_t copied = 0;
  for (std::size_t at = text.find(kSchemeEnd); at != std::string_view::npos;
       at = text.find(kSchemeEnd, at + kSchemeEnd.size())) {
    const std::size_t begin = at + kSchemeEnd.size();
    // In "git://https://user:password@host" the inner address comes next and is treated then.
    std::size_t end = begin;
    while (end < text.size() && !ends_url(text[end]))
      ++end;
    const std::string_view rest = text.substr(begin, end - begin);
    const std::size_t length = userinfo_end(rest);
    if (begin < copied || length == std::string_view::npos || length == 0) continue;
    const std::size_t inner = rest.substr(0, length).find(kSchemeEnd);
    if (inner != std::string_view::npos || !hides(scheme_before(text, at), rest.substr(0, length))) continue;
    out.append(text.substr(copied, begin - copied)).append(kMask);
    copied = begin + length;
  }
  return out.append(text.substr(copied));
}

std::string redact_url(std::string_view url) {
  return base::printable(redact_urls(url));
}

std::string scheme_of(std::string_view url) {
  const std::size_t end = url.find(kSchemeEnd);
  if (end == std::string_view::npos || scheme_before(url, end).size() != end) return "";
  return base::lower(url.substr(0, end));
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size() + text.size() / 2);
  for (const char c : text) {
    if (is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 15U];
  }
  return out;
}

std::string encode_form(const Fields& fields) {
  std::string out;
  for (const auto& [name, value] : fields) {
    if (!out.empty()) out += '&';
    out += percent_encode(name) + "=" + percent_encode(value);
  }
  return out;
}

}  // namespace porter::http
