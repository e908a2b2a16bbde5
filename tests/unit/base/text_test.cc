#include "core/base/text.h"

#include "core/base/error.h"
#include "tests/support/catch.h"

using namespace porter::base;

TEST_CASE("a comma list is trimmed and keeps its order", "[text]") {
  CHECK(comma_list(" a, b ,,c ") == std::vector<std::string>{"a", "b", "c"});
  CHECK(comma_list("").empty());
}

TEST_CASE("words are split as a shell would, with nothing expanded", "[text]") {
  CHECK(split_words("a 'b c' \"d\\\"e\" f\\ g $HOME *") ==
        std::vector<std::string>{"a", "b c", "d\"e", "f g", "$HOME", "*"});
  CHECK_THROWS_AS(split_words("a 'b"), Error);
}

TEST_CASE("quoting survives every byte", "[text]") {
  CHECK(quote_shell("plain/path-1.2") == "plain/path-1.2");
  CHECK(quote_shell("") == "''");
  CHECK(quote_shell("a'b; rm -rf $HOME") == "'a'\\''b; rm -rf $HOME'");
}

TEST_CASE("text from outside cannot drive a terminal", "[text]") {
  CHECK(printable("a\x1b[31mb") == "a\\x1b[31mb");
  CHECK(printable("\xc2\x9b"
                  "x") == "\\xc2\\x9bx");
  CHECK(printable("\xe2\x80\xae") == "\\xe2\\x80\\xae");
  CHECK(printable("\xff") == "\\xff");
  CHECK(printable("caf\xc3\xa9") == "caf\xc3\xa9");
  CHECK(printable_lines("a\nb") == "a\nb");
  CHECK(printable("a\nb") == "a\\x0ab");
}

TEST_CASE("numbers and booleans are whole words or nothing", "[text]") {
  CHECK(parse_integer("42") == 42);
  CHECK_FALSE(parse_integer("42x"));
  CHECK_FALSE(parse_integer(""));
  CHECK(parse_boolean("Off") == false);
  CHECK(parse_boolean("1") == true);
  CHECK_FALSE(parse_boolean("maybe"));
}
