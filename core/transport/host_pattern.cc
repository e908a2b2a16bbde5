#include "core/transport/host_pattern.h"

#include "core/base/text.h"

namespace porter::transport {
namespace {

// Greedy with one point to come back to: linear in practice, quadratic at worst, whatever the number of
// stars.
bool matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*')
    ++p;
  return p == pattern.size();
}

}  // namespace

bool host_pattern_matches(std::string_view pattern, std::string_view host) {
  return matches(base::lower(pattern), base::lower(host));
}

bool host_patterns_match(const std::vector<std::string>& patterns, std::string_view host) {
  bool some = false;
  for (std::string_view pattern : patterns) {
    const bool excludes = pattern.starts_with('!');
    if (excludes) pattern.remove_prefix(1);
    if (!host_pattern_matches(pattern, host)) continue;
    if (excludes) return false;
    some = true;
  }
  return some;
}

}  // namespace porter::transport
