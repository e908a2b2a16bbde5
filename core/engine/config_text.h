#pragma once
// What a plan may say about a config file that changes. Nobody can list what secrets are called, so nothing
// is shown for not looking like one: names are shown where every line of the file is understood, and values
// only when they are too simple to be a secret. Pure functions; any thread.

#include <string>
#include <string_view>
#include <vector>

namespace porter::engine {

// "names": no value is shown at all, for files that are nobody else's business.
enum class Shown { names, simple_values };

// Truth values, "null", "none", levels of a log, and numbers of at most three digits; quoted or not.
bool is_simple_value(std::string_view value);

// One line for each name that is set, changed or removed ("local.py:1: DEBUG: False -> True", "local.py:2:
// PASSWORD changed"); how many lines were added and removed when either text has one that is no comment, no
// [section] and no whole `name = value` or `name: value`. Empty when the texts are the same.
std::vector<std::string> describe_changes(const std::string& path, std::string_view before,
                                          std::string_view after, Shown shown);

}  // namespace porter::engine
