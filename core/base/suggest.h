#pragma once
// "did you mean …": one edit-distance function for commands, flags, hosts, keys, plugins and modules.

#include <string>
#include <string_view>
#include <vector>

namespace porter::base {

// Damerau-Levenshtein distance (optimal string alignment): inserts, deletes, replacements, swaps of
// neighbours.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The nearest of `known` within a third of the word's length (at least 2), or "".
std::string nearest(std::string_view word, const std::vector<std::string>& known);

// `did you mean "x"?`, or "" when nothing is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

}  // namespace porter::base
