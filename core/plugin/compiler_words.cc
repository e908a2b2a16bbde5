#include "core/plugin/compiler_words.h"

#include <fmt/format.h>

#include <optional>
#include <string_view>

#include "core/base/text.h"

namespace porter::plugin {
namespace {

constexpr std::size_t kLongest = 4000;  // a template's error fills screens; the first lines tell

struct FirstError {
  base::Location where;
  std::string message;
};

// "file:12:3: error: message" or "file:12: fatal error: message".
std::optional<FirstError> parse_error_line(const std::string& line) {
  for (const std::string_view mark : {": fatal error: ", ": error: "}) {
    const std::size_t found = line.find(mark);
    if (found == std::string::npos) continue;
    FirstError error;
    error.message = line.substr(found + mark.size());
    const std::vector<std::string> pieces = base::split(line.substr(0, found), ':');
    std::size_t numbers = 0;
    while (numbers < 2 && numbers + 1 < pieces.size() &&
           base::parse_integer(pieces[pieces.size() - 1 - numbers]))
      ++numbers;
    if (numbers == 0) return error;  // "collect2: error: …": no place in a file
    const std::size_t file_pieces = pieces.size() - numbers;
    error.where.line = static_cast<int>(base::parse_integer(pieces[file_pieces]).value_or(0));
    error.where.file =
        base::join({pieces.begin(), pieces.begin() + static_cast<std::ptrdiff_t>(file_pieces)}, ":");
    return error;
  }
  return std::nullopt;
}

FirstError first_error(const std::filesystem::path& source, const std::string& output,
                       const std::string& ending) {
  FirstError unplaced = {{source.string(), 0}, ending};
  for (const std::string& line : base::split(output, '\n')) {
    const std::size_t undefined = line.find("undefined reference to ");
    if (undefined != std::string::npos) return {{source.string(), 0}, line.substr(undefined)};
    const auto error = parse_error_line(line);
    if (error && error->where.line > 0) return *error;
  }
  return unplaced;
}

}  // namespace

base::Error compile_error(const std::filesystem::path& source, const std::string& output,
                          const std::string& ending) {
  const FirstError first = first_error(source, output, ending);
  std::string text = fmt::format("the hook does not compile: {}", first.message);
  if (!output.empty()) text += "\n" + output.substr(0, kLongest);
  if (output.size() > kLongest) text += "\n…";
  return base::Error(base::Code::plugin_refused, base::printable_lines(text)).at(first.where);
}

}  // namespace porter::plugin
