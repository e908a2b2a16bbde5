#pragma once
// Bodies of services.h; included by it alone.

#include <stdexcept>

namespace porter {

inline void Target::fail(const std::vector<std::string>& arguments, const RunResult& result) {
  std::string text;
  for (const std::string& argument : arguments)
    text += (text.empty() ? "" : " ") + argument;
  text += ": exit status " + std::to_string(result.status);
  const std::string& said = result.errors.empty() ? result.output : result.errors;
  if (!said.empty()) text += ": " + said;
  throw std::runtime_error(text);
}

inline void Target::replace_in_file(const std::string& path, const std::map<std::string, std::string>& values,
                                    std::string_view prefix, std::string_view suffix) {
  constexpr std::uint64_t kLimit = 16U << 20U;  // text files; larger ones are no templates
  std::string content = read(path, kLimit);
  for (const auto& [key, value] : values) {
    const std::string mark = std::string(prefix) + key + std::string(suffix);
    for (std::size_t at = content.find(mark); at != std::string::npos;
         at = content.find(mark, at + value.size())) {
      content.replace(at, mark.size(), value);
    }
  }
  constexpr unsigned kKeepMode = 0;
  write(path, content, kKeepMode);
}

}  // namespace porter
