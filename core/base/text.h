#pragma once
// Small text helpers. All are pure and may be called from any thread.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace porter::base {

std::string_view trim(std::string_view text);
// Splits at every separator; the pieces are not trimmed, and "" gives one empty piece.
std::vector<std::string> split(std::string_view text, char separator);
// A comma list as project files write it: pieces trimmed, empty ones dropped.
std::vector<std::string> comma_list(std::string_view text);
std::string join(const std::vector<std::string>& pieces, std::string_view separator);
std::string lower(std::string_view text);

// Splits an argument list the way a POSIX shell splits words, with '…', "…" and backslash, and nothing else:
// no expansion, no operators. An open quote throws Error(bad_value).
std::vector<std::string> split_words(std::string_view text);

// The one quoting function: `text` as a single word for a POSIX shell, whatever bytes it holds (NUL
// excepted).
std::string quote_shell(std::string_view text);
std::string quote_shell(const std::vector<std::string>& arguments);

// Text from outside made safe for a terminal and a log: invalid UTF-8 and control characters become \xNN.
// printable_lines keeps newlines and tabs.
std::string printable(std::string_view text);
std::string printable_lines(std::string_view text);

// The whole text as a decimal number, or nothing.
std::optional<std::int64_t> parse_integer(std::string_view text);
// yes/no, true/false, on/off, 1/0 in any case, or nothing.
std::optional<bool> parse_boolean(std::string_view text);

// "1.2 MiB"; bytes below 1024 as "17 B".
std::string format_bytes(std::uint64_t bytes);
// "0.42 s", "12 s", "3 min 05 s".
std::string format_seconds(double seconds);

// fnmatch(3) of the whole name: *, ?, […]; '*' does not cross '/'.
bool glob_matches(const std::string& pattern, const std::string& name);

}  // namespace porter::base
