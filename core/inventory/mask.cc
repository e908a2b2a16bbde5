#include "core/inventory/mask.h"

#include <algorithm>
#include <array>
#include <optional>

#include "core/base/text.h"
#include "core/http/url.h"

namespace porter::inventory {

namespace {

using http::kMask;

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
bool is_word(char c) {
  return is_alphanumeric(c) || c == '_' || c == '-';
}
bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

// Characters of every token shape below.
bool is_token(char c) {
  return is_word(c) || c == '.';
}

// Where a token begins and how many characters it then has at least. Prefixes are published by who issues
// them.
struct Shape {
  std::string_view prefix;
  std::size_t minimum;  // with the prefix
};
constexpr std::array kShapes = {
    Shape{"ghp_", 20},  Shape{"gho_", 20},        Shape{"ghu_", 20},     Shape{"ghs_", 20},
    Shape{"ghr_", 20},  Shape{"github_pat_", 30}, Shape{"glpat-", 20},   Shape{"gldt-", 20},
    Shape{"glrt-", 20}, Shape{"AKIA", 20},        Shape{"ASIA", 20},     Shape{"AIza", 35},
    Shape{"ya29.", 30}, Shape{"xoxb-", 20},       Shape{"xoxp-", 20},    Shape{"xoxa-", 20},
    Shape{"xoxr-", 20}, Shape{"xoxs-", 20},       Shape{"xapp-", 20},    Shape{"pypi-AgE", 40},
    Shape{"npm_", 30},  Shape{"sk_live_", 20},    Shape{"rk_live_", 20}, Shape{"sk_test_", 20},
    Shape{"sk-", 30},   Shape{"SG.", 40},         Shape{"dop_v1_", 40},  Shape{"hf_", 30},
    Shape{"hvs.", 24},  Shape{"eyJ", 40},
};

std::size_t run_length(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && is_token(text[end]))
    ++end;
  return end - at;
}

bool starts_word(std::string_view text, std::size_t at) {
  return at == 0 || !is_alphanumeric(text[at - 1]);
}

// Length of the token of known shape that begins at `at`, or 0.
std::size_t token_at(std::string_view text, std::size_t at) {
  if (!starts_word(text, at)) return 0;
  const std::string_view rest = text.substr(at);
  for (const Shape& shape : kShapes) {
    if (!rest.starts_with(shape.prefix)) continue;
    const std::size_t length = run_length(text, at);
    if (length >= shape.minimum) return length;
  }
  return 0;
}

std::string mask_tokens(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = token_at(text, at);
    if (length == 0) {
      out += text[at++];
      continue;
    }
    out += kMask;
    at += length;
  }
  return out;
}

std::string mask_pem(std::string_view text) {
  constexpr std::string_view kBegin = "-----BEGIN ";
  constexpr std::string_view kEnd = "-----END ";
  constexpr std::string_view kDashes = "-----";
  std::string out;
  std::size_t copied = 0;
  for (std::size_t begin = text.find(kBegin); begin != std::string_view::npos;
       begin = text.find(kBegin, copied)) {
    out.append(text.substr(copied, begin - copied)).append(kMask);
    const std::size_t end = text.find(kEnd, begin);
    if (end == std::string_view::npos) return out;
    const std::size_t dashes = text.find(kDashes, end + kEnd.size());
    copied = dashes == std::string_view::npos ? text.size() : dashes + kDashes.size();
  }
  return out.append(text.substr(copied));
}

std::size_t skip_blanks(std::string_view text, std::size_t at) {
  while (at < text.size() && is_blank(text[at]))
    ++at;
  return at;
}

// After the word that ends at `end`: where a secret value begins, if the word announces one.
std::optional<std::size_t> announced(std::string_view text, std::string_view word, std::size_t end) {
  const std::string name = base::lower(word);
  const bool scheme = name == "bearer" || name == "basic";
  const std::size_t after = skip_blanks(text, end);
  if (scheme && after > end) return after;
  if (!is_secret_key(word)) return std::nullopt;
  std::size_t at = end;
  if (at < text.size() && (text[at] == '"' || text[at] == '\'')) ++at;  // JSON's closing quote of the key
  at = skip_blanks(text, at);
  if (at < text.size() && (text[at] == '=' || text[at] == ':')) return skip_blanks(text, at + 1);
  return word.starts_with("--") && after > end ? std::optional(after) : std::nullopt;
}

// The end of the value that begins at `at`: its closing quote, or the next separator.
std::size_t value_end(std::string_view text, std::size_t at) {
  const bool quoted = text[at] == '"' || text[at] == '\'';
  if (quoted) {
    const std::size_t close = text.find(text[at], at + 1);
    return close == std::string_view::npos ? text.size() : close + 1;
  }
  return std::min(text.find_first_of(" \t\r\n&;,\"'", at), text.size());
}

std::string mask_assignments(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (!is_word(text[at])) {
      out += text[at++];
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && (is_word(text[end]) || text[end] == '.'))
      ++end;
    const auto value = announced(text, text.substr(at, end - at), end);
    const bool found = value && *value < text.size() && value_end(text, *value) > *value;
    out.append(text.substr(at, (found ? *value : end) - at));
    if (found) out.append(kMask);
    at = found ? value_end(text, *value) : end;
  }
  return out;
}

// Too short to be looked for within other words: "compass", "basalt".
bool has_short_word(std::string key) {  // lower case
  constexpr std::array<std::string_view, 5> kShort = {"pass", "pwd", "pw", "salt", "cookie"};
  std::replace_if(
      key.begin(), key.end(), [](char c) { return !is_alphanumeric(c); }, '_');
  const std::vector<std::string> words = base::split(key, '_');
  return std::find_first_of(words.begin(), words.end(), kShort.begin(), kShort.end()) != words.end();
}

}  // namespace

bool is_secret_key(std::string_view key) {
  constexpr std::array<std::string_view, 9> kWords = {"password", "passwd",     "passphrase",
                                                      "secret",   "token",      "credential",
                                                      "apikey",   "privatekey", "accesskey"};
  std::string plain = base::lower(key);
  if (has_short_word(plain)) return true;
  std::erase_if(plain, [](char c) { return c == '-' || c == '_' || c == '.' || c == ' '; });
  return std::any_of(kWords.begin(), kWords.end(),
                     [&](std::string_view word) { return plain.find(word) != std::string::npos; });
}

std::string mask_text(std::string_view text) {
  return mask_assignments(mask_tokens(http::redact_urls(mask_pem(text))));
}

std::string mask_value(std::string_view key, std::string_view value) {
  if (value.empty()) return "";
  return is_secret_key(key) ? std::string(kMask) : mask_text(value);
}

std::map<std::string, std::string> mask_settings(const std::map<std::string, std::string>& settings) {
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : settings)
    out[key] = mask_value(key, value);
  return out;
}

}  // namespace porter::inventory
