#include "core/settings/value.h"

#include "tests/unit/settings/fixture.h"

using namespace porter::settings;
using namespace std::chrono_literals;
using porter::settings::test::error_of;

namespace {
Option option(const std::string& text) {
  return {"key", text, {"f.ini", 7}};
}
}  // namespace

TEST_CASE("booleans are read by meaning, not by being there", "[value]") {
  for (const char* no : {"0", "no", "False", "off"})
    CHECK_FALSE(as_boolean(option(no)));
  for (const char* yes : {"1", "yes", "TRUE", "on"})
    CHECK(as_boolean(option(yes)));
  CHECK(error_of([] { as_boolean(option("maybe")); }) == "f.ini:7: key: expected yes or no, got \"maybe\"");
  CHECK_FALSE(error_of([] { as_boolean(option("")); }).empty());
}

TEST_CASE("lists are trimmed, may span lines, and drop empty items", "[value]") {
  CHECK(as_list(option(" a, b ,,c\nd e\n f ")) == std::vector<std::string>{"a", "b", "c", "d e", "f"});
}

TEST_CASE("numbers, percentages, limits and durations are exact", "[value]") {
  CHECK(as_integer(option("12")) == 12);
  for (const char* bad : {"-1", "1.5", "", "x", "99999999999999999999", "1 2"}) {
    CAPTURE(bad);
    CHECK_FALSE(error_of([&] { as_integer(option(bad)); }).empty());
  }
  CHECK(as_percent(option("25%")) == 25);
  CHECK_FALSE(error_of([] { as_percent(option("101%")); }).empty());
  CHECK(as_limit(option("none")).kind == Limit::Kind::none);
  CHECK(as_limit(option("25%")) == Limit{Limit::Kind::percent, 25});
  CHECK(as_limit(option("100")) == Limit{Limit::Kind::count, 100});
  CHECK_FALSE(error_of([] { as_limit(option("many")); }).empty());
  CHECK(as_duration(option("500ms")) == 500ms);
  CHECK(as_duration(option("30")) == 30s);
  CHECK(as_duration(option("5 min")) == 5min);
  CHECK(as_duration(option("2h")) == 2h);
  for (const char* bad : {"5 parsecs", "", "s", "-1s"})
    CHECK_FALSE(error_of([&] { as_duration(option(bad)); }).empty());
}

TEST_CASE("words are an argument list, and an open quote names its line", "[value]") {
  CHECK(as_words(option("make 'a b'")) == std::vector<std::string>{"make", "a b"});
  CHECK(error_of([] { as_words(option("make 'a")); }).rfind("f.ini:7: key: ", 0) == 0);
}

TEST_CASE("urls and choices are checked", "[value]") {
  const auto problem = [](const OptionSpec& spec, const std::string& text) {
    return error_of([&] { check_value(spec, option(text)); });
  };
  const OptionSpec url{"key", Type::url};
  for (const char* good : {"", "https://x/y?a=1", "git@host:repo.git", "git://git@host:repo.git",
                           "git://https://host/x.git", "file://.", "none://"})
    CHECK(problem(url, good).empty());
  for (const char* bad : {"x", "-x://y", "http://a b", "host:path", "://x"})
    CHECK_FALSE(problem(url, bad).empty());
  const OptionSpec choice{"key", Type::choice, "a", "", {"a", "b"}};
  CHECK(problem(choice, "b").empty());
  CHECK(problem(choice, "c").find("one of a, b") != std::string::npos);
}

TEST_CASE("plugin names cannot leave the plugin folders", "[value]") {
  for (const char* good : {"a", "porter.plugins.crontab", "my-own.x_1"})
    CHECK(is_plugin_name(good));
  for (const char* bad : {"", ".", "a..b", "../x", "a/b", ".a", "a.", "-a", "a.-b", "a b", "a\n"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_plugin_name(bad));
  }
}

TEST_CASE("types are found by the names that plugins write", "[value]") {
  CHECK(parse_type("duration") == Type::duration);
  CHECK_FALSE(parse_type("colour").has_value());
}

TEST_CASE("inner paths stay inside", "[value]") {
  for (const char* good : {"a", "a/b.c", "dir/", ".env", "a b", "..a"})
    CHECK(is_inner_path(good));
  for (const char* bad : {"", "/", "/a", "..", "a/..", "../a", "a//b", "./a", "a/./b", "a\nb"})
    CHECK_FALSE(is_inner_path(bad));
}
