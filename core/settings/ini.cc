#include "core/settings/ini.h"

#include <fmt/format.h>
#include <ini.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <map>
#include <utility>

#include "core/base/text.h"
#include "core/settings/interpolate.h"

namespace porter::settings {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t largest_file = 1U << 20U;
constexpr std::size_t longest_line = 64U << 10U;
// inih's own limits: it cuts longer names without a word, and its line buffer holds 198 characters and the
// newline.
constexpr std::size_t longest_name = 49;
constexpr std::size_t inih_line = 190;
constexpr std::size_t most_problems = 50;
constexpr std::size_t most_sections = 10000;

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

// Cuts an inline comment: a ';' after a blank. (A '#' may be part of a url.)
std::string_view without_comment(std::string_view line) {
  for (std::size_t i = 1; i < line.size(); ++i) {
    if (line[i] == ';' && is_blank(line[i - 1])) return base::trim(line.substr(0, i));
  }
  return line;
}

// Feeds inih line by line and checks each line first, since inih cuts what is too long, puts the keys of a
// broken section into the one before, and reports only the first bad line. Lines that are too long for inih
// go in with a placeholder for the value.
class GuardedReader {
 public:
  GuardedReader(std::string_view text, IniFile& file, std::vector<Error>& problems)
      : rest_(text), file_(file), problems_(problems) {}

  void run() {
    ini_parse_stream(&GuardedReader::read, this, &GuardedReader::handle, this);
    if (failure_) std::rethrow_exception(failure_);
    check_taken();
    if (!rest_.empty()) problem("the rest of the file cannot be read");
  }

 private:
  enum class Kind { nothing, section, option, continuation };

  // inih is C: exceptions wait in failure_ until it has returned, which no more lines make it do at once.
  static char* read(char* buffer, int size, void* self) {
    GuardedReader& reader = *static_cast<GuardedReader*>(self);
    try {
      return reader.failure_ ? nullptr : reader.next_line(buffer, static_cast<std::size_t>(size));
    } catch (...) {
      reader.failure_ = std::current_exception();
      return nullptr;
    }
  }
  static int handle(void* self, const char* section, const char* name, const char* value) {
    GuardedReader& reader = *static_cast<GuardedReader*>(self);
    try {
      if (!reader.failure_) reader.take(section, name, value);
    } catch (...) {
      reader.failure_ = std::current_exception();
    }
    return 1;
  }

  char* next_line(char* buffer, std::size_t size) {
    check_taken();
    if (rest_.empty()) return nullptr;
    const std::size_t end = rest_.find('\n');
    std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    ++line_;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    const std::string fed = guard(line) + "\n";
    if (fed.size() + 1 > size) return nullptr;  // a build of inih with a smaller buffer
    std::memcpy(buffer, fed.c_str(), fed.size() + 1);
    return buffer;
  }

  // What inih gets instead of `line`.
  std::string guard(std::string_view line) {
    kind_ = Kind::nothing;
    if (!is_readable(line)) return "";
    const bool indented = !line.empty() && is_blank(line.front());
    std::string_view content = base::trim(line);
    if (content.empty() || content.front() == ';' || content.front() == '#') return "";
    content = without_comment(content);
    if (indented && continues_) return guard_continuation(content);
    return content.front() == '[' ? guard_section(content) : guard_option(content);
  }

  bool is_readable(std::string_view line) {
    if (line.size() > longest_line) {
      problem(
          fmt::format("the line is {} long; at most 64 KiB are allowed", base::format_bytes(line.size())));
      return false;
    }
    const auto bad = std::find_if(line.begin(), line.end(), [](char c) {
      return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
    });
    if (bad == line.end()) return true;
    problem(fmt::format("control character \\x{:02x} in column {}", static_cast<unsigned char>(*bad),
                        bad - line.begin() + 1));
    return false;
  }

  std::string guard_section(std::string_view content) {
    kind_ = Kind::section;
    continues_ = false;
    skipping_ = true;  // unless all is well: the options of a broken section belong nowhere
    const std::size_t end = content.find(']');
    if (end == std::string_view::npos) {
      problem(fmt::format("the section has no closing bracket: {}", content),
              fmt::format("write {}]", content));
      return "[]";
    }
    const std::string name(base::trim(content.substr(1, end - 1)));
    if (name.empty()) {
      problem("the section has no name");
    } else if (name.size() > longest_name) {
      problem(fmt::format("the section's name has {} characters; at most {} are allowed", name.size(),
                          longest_name));
    } else if (file_.sections.size() == most_sections) {
      problem(fmt::format("there are more than {} sections", most_sections));
      rest_ = {};
    } else if (content.size() > end + 1) {
      problem(fmt::format("unexpected text after [{}]: {}", name, content.substr(end + 1)),
              "a comment begins with a blank and ';'");
    } else {
      open_section(name);
    }
    return skipping_ ? "[]" : "[" + name + "]";
  }

  void open_section(const std::string& name) {
    const auto [first, fresh] = sections_.emplace(name, line_);
    if (!fresh)
      problem(fmt::format("section [{}] is already in line {}", name, first->second), "join the two");
    file_.sections.push_back({name, here(), {}});
    options_.clear();
    skipping_ = false;
  }

  std::string guard_option(std::string_view content) {
    const std::size_t separator = content.find_first_of("=:");
    if (separator == std::string_view::npos) {
      return refuse(fmt::format("expected [section] or \"name = value\", got \"{}\"", content.substr(0, 60)));
    }
    const std::string_view name = base::trim(content.substr(0, separator));
    if (name.empty()) return refuse("there is no name before the equals sign");
    if (name.size() > longest_name) {
      return refuse(
          fmt::format("the name has {} characters; at most {} are allowed", name.size(), longest_name));
    }
    if (sections_.empty()) return refuse(fmt::format("\"{}\" stands before any [section]", name));
    kind_ = Kind::option;
    full_ = base::trim(content.substr(separator + 1));
    if (content.size() <= inih_line) return std::string(content);
    return std::string(name) + " = @";
  }

  std::string guard_continuation(std::string_view content) {
    kind_ = Kind::continuation;
    full_ = content;
    return content.size() <= inih_line ? " " + std::string(content) : " @";
  }

  std::string refuse(const std::string& what) {
    if (!skipping_) problem(what);
    return "";
  }

  // inih found an option in the line that it was fed last.
  void take(std::string_view section, std::string_view name, std::string_view value) {
    const Kind kind = std::exchange(kind_, Kind::nothing);
    continues_ = true;
    if (skipping_) return;
    Section& current = file_.sections.back();
    const bool long_line = full_.size() > value.size() && value == "@";
    if (section != current.name)
      return problem(fmt::format("\"{}\" cannot be told to belong to [{}]", name, current.name));
    if (kind == Kind::continuation) {
      current.options.back().text += "\n" + std::string(long_line ? full_ : value);
      return;
    }
    const auto [first, fresh] = options_.emplace(std::string(name), line_);
    if (!fresh)
      problem(fmt::format("\"{}\" is already set in line {}", name, first->second), "keep one of the two");
    current.options.push_back({std::string(name), std::string(long_line ? full_ : value), here()});
  }

  // Every line that the guard let through as an option must have come out of inih as one.
  void check_taken() {
    const bool lost = kind_ == Kind::option || kind_ == Kind::continuation;
    kind_ = Kind::nothing;
    if (lost && !skipping_) problem("the line cannot be read");
  }

  base::Location here() const { return {file_.file, line_}; }

  void problem(const std::string& what, const std::string& hint = "") {
    if (++reported_ > most_problems) return;
    problems_.push_back(Error(Code::ini_syntax, what).at(here()).hint(hint));
  }

  std::string_view rest_;
  IniFile& file_;
  std::vector<Error>& problems_;
  int line_ = 0;
  Kind kind_ = Kind::nothing;
  std::string_view full_;   // the value of the line at hand, at its full length
  bool continues_ = false;  // an indented line would continue an option
  bool skipping_ = false;
  std::size_t reported_ = 0;
  std::exception_ptr failure_;
  std::map<std::string, int> sections_;
  std::map<std::string, int> options_;  // of the section at hand
};

}  // namespace

IniFile parse_ini(std::string_view text, std::string file_name, std::vector<Error>& problems) {
  IniFile file{std::move(file_name), {}};
  if (text.size() > largest_file) {
    problems.push_back(
        Error(Code::ini_syntax, fmt::format("the file is too large: {}, at most 1 MiB are allowed",
                                            base::format_bytes(text.size())))
            .at(file.file));
    return file;
  }
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  GuardedReader(text, file, problems).run();
  for (Section& section : file.sections)
    interpolate(section, problems);
  return file;
}

std::string canonical(std::string_view name) {
  std::string out = base::lower(name);
  std::replace(out.begin(), out.end(), '-', '_');
  return out;
}

const Option* find_option(const Section& section, std::string_view name) {
  const std::string wanted = canonical(name);
  for (const Option& option : section.options) {
    if (canonical(option.name) == wanted) return &option;
  }
  return nullptr;
}

const Section* find_section(const IniFile& file, std::string_view name) {
  for (const Section& section : file.sections) {
    if (section.name == name) return &section;
  }
  return nullptr;
}

}  // namespace porter::settings
