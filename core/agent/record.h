#pragma once
// One line of named values, the form of every small file of the site (format, journal, holder's note,
// history): "action=commit release=… who=…". Values are bytes; blanks, control characters, '%', '=' and
// everything beyond ASCII are written as %XX, so a line never holds a newline of its own.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace porter::agent {

class Record {
 public:
  Record& set(std::string_view name, std::string_view value);
  // "" when it is not there.
  const std::string& get(std::string_view name) const;

  // Without a newline at the end.
  std::string line() const;
  // Nothing when `line` was not written by line(): torn, or not ours.
  static std::optional<Record> parse(std::string_view line);

 private:
  std::vector<std::pair<std::string, std::string>> values_;
};

// What people and programs say, as it is kept and shown: beyond 4 KiB it is cut, in front of a whole UTF-8
// character. No reason, message or failed program makes a site unreadable.
std::string shortened(std::string_view text);

}  // namespace porter::agent
