#include "core/settings/ini.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "tests/support/catch.h"

using namespace porter::settings;
using porter::base::Error;
using namespace std::string_literals;

namespace {

struct Parsed {
  IniFile file;
  std::vector<Error> problems;
};

Parsed parse(std::string_view text) {
  Parsed parsed;
  parsed.file = parse_ini(text, "t.ini", parsed.problems);
  return parsed;
}

IniFile parse_good(std::string_view text) {
  const Parsed parsed = parse(text);
  for (const Error& error : parsed.problems)
    FAIL(porter::base::format_error(error));
  return parsed.file;
}

std::string value(const IniFile& file, const std::string& section, const std::string& option) {
  const Section* found = find_section(file, section);
  REQUIRE(found != nullptr);
  const Option* wanted = find_option(*found, option);
  REQUIRE(wanted != nullptr);
  return wanted->text;
}

}  // namespace

TEST_CASE("sections and options keep their order and know their lines", "[ini]") {
  const IniFile file = parse_good("; head\n[b]\nx = 1\n\n[a]\ny: 2\n");
  REQUIRE(file.sections.size() == 2);
  CHECK(file.sections[0].name == "b");
  CHECK(file.sections[0].where.line == 2);
  CHECK(file.sections[1].name == "a");
  CHECK(file.sections[1].options[0].text == "2");
  CHECK(file.sections[1].options[0].where.line == 6);
}

TEST_CASE("sections without options are there too", "[ini]") {
  const IniFile file = parse_good("[plugin:a.b]\n[plugin:c]\n");
  REQUIRE(file.sections.size() == 2);
  CHECK(file.sections[1].where.line == 2);
}

TEST_CASE("option names ignore case, and - is _", "[ini]") {
  const IniFile file = parse_good("[a]\nSend-Data_URL = x\n");
  CHECK(value(file, "a", "send_data-url") == "x");
}

TEST_CASE("only a semicolon after a blank begins an inline comment", "[ini]") {
  const IniFile file =
      parse_good("[a]\nurl = http://x/?a=1;b=2#top ; note\nk = v # w\nempty = ; nothing\n# c\n  ; c\n");
  CHECK(value(file, "a", "url") == "http://x/?a=1;b=2#top");
  CHECK(value(file, "a", "k") == "v # w");
  CHECK(value(file, "a", "empty").empty());
}

TEST_CASE("a byte order mark, CRLF and a missing last newline are fine", "[ini]") {
  const IniFile file = parse_good("\xEF\xBB\xBF[a]\r\nx = 1\r\ny = 2");
  CHECK(value(file, "a", "x") == "1");
  CHECK(value(file, "a", "y") == "2");
}

TEST_CASE("indented lines continue a value and are no duplicates", "[ini]") {
  const IniFile file = parse_good("[a]\nx = 1\n  2 ; two\n\t; note\n\n  3 = 4\ny = 5\n");
  CHECK(value(file, "a", "x") == "1\n2\n3 = 4");
  CHECK(value(file, "a", "y") == "5");
}

TEST_CASE("an indented first option of a section is an option", "[ini]") {
  const IniFile file = parse_good("[a]\nx = 1\n[b]\n  y = 2\n");
  CHECK(value(file, "b", "y") == "2");
}

TEST_CASE("lines of any length work", "[ini]") {
  for (const std::size_t size : {180U, 189U, 190U, 191U, 198U, 199U, 200U, 201U, 400U, 5000U}) {
    const std::string text(size, 'v');
    const IniFile file =
        parse_good("[a]\nx = " + text + "\n  " + text + "\n;" + text + "\ny = " + text + " ; c\nz = 1\n");
    CHECK(value(file, "a", "x") == text + "\n" + text);
    CHECK(value(file, "a", "y") == text);
    CHECK(find_option(file.sections[0], "z")->where.line == 6);
  }
}

TEST_CASE("a value that is the placeholder's own text stays what it is", "[ini]") {
  CHECK(value(parse_good("[a]\nx = @\n"), "a", "x") == "@");
}

TEST_CASE("every mistake is reported with its line", "[ini]") {
  const std::string long_name(50, 'n');
  const Parsed parsed =
      parse("early = 1\n[broken\nx = 1\n[" + long_name + "]\n[]\n[a] junk\n[a]\nnonsense\n= 1\n" + long_name +
            " = 1\nx = 1\nx = 2\nz = a\x01"
            "b\n[a]\n");
  std::vector<int> lines;
  for (const Error& error : parsed.problems)
    lines.push_back(error.where().line);
  CHECK(lines == std::vector<int>{1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14});
  CHECK(parsed.file.sections[0].name == "a");
}

TEST_CASE("keys of a broken section go nowhere, and surely not to the section before", "[ini]") {
  const Parsed parsed = parse("[a]\nx = 1\n[broken\ny = 2\n[c]\nz = 3\n");
  REQUIRE(parsed.file.sections.size() == 2);
  CHECK(parsed.file.sections[0].options.size() == 1);
  CHECK(parsed.problems.size() == 1);
}

TEST_CASE("a NUL byte is refused and cuts nothing", "[ini]") {
  const Parsed parsed = parse(std::string_view("[a]\nx = 1\0 2\ny = 3\n", 18));
  REQUIRE(parsed.problems.size() == 1);
  CHECK(parsed.problems[0].where().line == 2);
  CHECK(value(parsed.file, "a", "y") == "3");
}

TEST_CASE("over-long lines and files are refused, and problems are not endless", "[ini]") {
  CHECK(parse("[a]\nx = " + std::string(70000, 'x')).problems.size() == 1);
  CHECK(parse(std::string((1U << 20U) + 1, '\n')).problems.size() == 1);
  std::string text;
  for (int i = 0; i < 1000; ++i)
    text += "nonsense\n";
  CHECK(parse(text).problems.size() == 50);
}

TEST_CASE("%(name)s is replaced within its section", "[ini]") {
  const IniFile file = parse_good(
      "[a]\nroot = /srv\nPATH = %(root)s/%(my_name)s\nmy-name = x\nmax = 25%\nlit = %%(root)s %%\n");
  CHECK(value(file, "a", "path") == "/srv/x");
  CHECK(value(file, "a", "max") == "25%");
  CHECK(value(file, "a", "lit") == "%(root)s %");
}

TEST_CASE("unknown names and circles in %(name)s are errors", "[ini]") {
  const Parsed parsed = parse("[a]\nx = %(y)s\ny = %(z)s\nz = %(x)s\nroot = r\nq = %(rot)s\nopen = %(root\n");
  REQUIRE(parsed.problems.size() == 3);
  CHECK(parsed.problems[0].message() == "z: %(…)s goes round in a circle: x -> y -> z -> x");
  CHECK(parsed.problems[0].where().line == 4);
  CHECK(parsed.problems[1].where().line == 6);
  CHECK(parsed.problems[1].hint_text() == "did you mean \"root\"?");
  CHECK(parsed.problems[2].where().line == 7);
}

TEST_CASE("%(name)s cannot be made to eat all memory", "[ini]") {
  std::string text = "[a]\nx0 = 0123456789\n";
  for (int i = 1; i < 15; ++i)
    text += fmt::format("x{} = %(x{})s%(x{})s%(x{})s%(x{})s\n", i, i - 1, i - 1, i - 1, i - 1);
  CHECK(parse(text).problems.size() == 1);
  std::string chain = "[a]\n";
  for (int i = 0; i < 5000; ++i)
    chain += fmt::format("x{} = %(x{})s\n", i, i + 1);
  CHECK_FALSE(parse(chain + "x5000 = 1\n").problems.empty());
}

TEST_CASE("no bytes make the parser fall over or point outside the file", "[ini]") {
  std::mt19937 random(4711);
  const std::string alphabet = "[]=:;#%()s $\t\n\n\n\r\0abx-_\xEF\xBB\xBF\xFF"s;
  for (int round = 0; round < 4000; ++round) {
    std::string text;
    const std::size_t size = random() % 600;
    for (std::size_t i = 0; i < size; ++i) {
      text += random() % 8 == 0 ? static_cast<char>(random() % 256) : alphabet[random() % alphabet.size()];
    }
    if (random() % 10 == 0) text.insert(text.size() / 2, std::string(random() % 500, 'v'));
    const int lines = static_cast<int>(std::count(text.begin(), text.end(), '\n')) + 1;
    const Parsed parsed = parse(text);
    for (const Error& error : parsed.problems) {
      CHECK(error.where().line >= 1);
      CHECK(error.where().line <= lines);
      CHECK(error.message() != "the line cannot be read");
    }
    for (const Section& section : parsed.file.sections) {
      CHECK(section.where.line <= lines);
      for (const Option& option : section.options)
        CHECK(option.where.line > section.where.line);
    }
  }
}
