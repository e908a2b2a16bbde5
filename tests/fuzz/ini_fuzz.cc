// INI text, and the typed readings of whatever it says. Every line that is named lies within the file.

#include "core/settings/ini.h"
#include "core/settings/value.h"
#include "tests/fuzz/fuzz.h"

using namespace porter;
using fuzz::require;

namespace {

void check_place(const base::Location& where, std::size_t lines) {
  require(where.file == "fuzz.ini", "a place names the file");
  require(where.line >= 1 && static_cast<std::size_t>(where.line) <= lines, "a line lies within the file");
}

void read_typed(const settings::Option& option) {
  const auto read = [&](auto reading) { fuzz::accepts({base::Code::bad_value}, [&] { reading(option); }); };
  read(settings::as_boolean);
  read(settings::as_integer);
  read(settings::as_list);
  read(settings::as_words);
  read(settings::as_percent);
  read(settings::as_limit);
  read(settings::as_duration);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::bytes_of(data, size);
  const std::size_t lines = fuzz::lines_of(text);
  std::vector<base::Error> problems;
  const settings::IniFile file = settings::parse_ini(text, "fuzz.ini", problems);
  require(problems.size() <= 50, "at most 50 problems for one file");
  for (const base::Error& problem : problems) {
    check_place(problem.where(), lines);
    fuzz::check_shown(problem);
  }
  for (const settings::Section& section : file.sections) {
    check_place(section.where, lines);
    for (const settings::Option& option : section.options) {
      check_place(option.where, lines);
      require(option.text.size() <= std::size_t{64} << 10U, "a text stays below 64 KiB");
      read_typed(option);
    }
  }
  return 0;
}
