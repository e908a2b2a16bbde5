#pragma once
// Host patterns as known_hosts files and ~/.ssh/config write them: '*' and '?', nothing else is special (so
// that
// "[host]:port" stands for itself). Letter case does not count. Pure.

#include <string>
#include <string_view>
#include <vector>

namespace porter::transport {

bool host_pattern_matches(std::string_view pattern, std::string_view host);

// A list in which "!pattern" excludes: some pattern matches and no excluded one does.
bool host_patterns_match(const std::vector<std::string>& patterns, std::string_view host);

}  // namespace porter::transport
