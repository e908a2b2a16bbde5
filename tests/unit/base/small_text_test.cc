#include "core/base/small_text.h"

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/catch.h"

using namespace porter::base;

namespace {

const std::vector<std::string> kTexts = {
    "",
    "a",
    std::string(14, 'b'),
    std::string(15, 'c'),
    std::string(16, 'd'),
    std::string(255, 'e'),
    std::string(4095, 'f'),
    std::string("with\0NUL", 8),
    "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
};

template <class Text>
void check_holds(const Text& text, const std::string& expected) {
  CHECK(std::string(text.view()) == expected);
  CHECK(text.size() == expected.size());
  CHECK(text.empty() == expected.empty());
  CHECK(text.c_str()[expected.size()] == '\0');
}

// Every kind of text on every other one.
template <class Text>
void check_value() {
  for (const std::string& first : kTexts) {
    for (const std::string& second : kTexts) {
      Text a{std::string_view(first)};
      const Text b{std::string_view(second)};
      Text copy = a;
      CHECK((copy == a));
      CHECK((a == b) == (first == second));
      a = b;
      check_holds(a, second);
      check_holds(copy, first);
      a = std::move(copy);
      check_holds(a, first);
      const Text moved = std::move(a);
      check_holds(moved, first);
      copy = std::string_view(second);
      check_holds(copy, second);
      copy.clear();
      check_holds(copy, "");
    }
  }
}

template <class Text>
void check_assigned_to_itself() {
  for (const std::string& each : kTexts) {
    Text text{std::string_view(each)};
    const Text& same = text;
    text = same;
    check_holds(text, each);
    text = text.view();
    check_holds(text, each);
  }
}

}  // namespace

TEST_CASE("a short text is a value as a string is, and small", "[small_text]") {
  STATIC_REQUIRE(sizeof(ShortText) == 16);
  STATIC_REQUIRE(std::is_nothrow_move_constructible_v<ShortText>);
  check_value<ShortText>();
  check_assigned_to_itself<ShortText>();
}

TEST_CASE("a rare text is a value as a string is, and as small as a pointer", "[small_text]") {
  STATIC_REQUIRE(sizeof(RareText) == sizeof(void*));
  check_value<RareText>();
  check_assigned_to_itself<RareText>();
}

TEST_CASE("short texts are ordered as their bytes are", "[small_text]") {
  for (const std::string& a : kTexts) {
    for (const std::string& b : kTexts) {
      const ShortText left{std::string_view(a)};
      CHECK((left < ShortText(std::string_view(b))) == (a < b));
      CHECK((left < std::string_view(b)) == (a < b));
      CHECK((left >= std::string_view(b)) == (a >= b));
    }
  }
}
