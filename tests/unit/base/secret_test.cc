#include "core/base/secret.h"

#include <fmt/format.h>

#include <cstring>
#include <new>
#include <ostream>
#include <type_traits>

#include "tests/support/catch.h"

using porter::base::Secret;

namespace {

template <class T>
concept Streams = requires(std::ostream& out, const T& value) {
  out << value;
};

static_assert(Streams<std::string>);
static_assert(!Streams<Secret>);
static_assert(fmt::is_formattable<std::string>::value);
static_assert(!fmt::is_formattable<Secret>::value);
static_assert(!std::is_convertible_v<Secret, std::string>);
static_assert(!std::is_convertible_v<Secret, std::string_view>);
static_assert(!std::is_convertible_v<std::string, Secret>);  // nothing becomes a secret unnoticed

// Whether the object's own bytes still hold the text.
bool holds(const unsigned char* bytes, std::size_t size, const std::string& text) {
  return std::string_view(reinterpret_cast<const char*>(bytes), size).find(text) != std::string_view::npos;
}

}  // namespace

TEST_CASE("a secret tells its text only when asked to", "[secret]") {
  const Secret secret("hunter2");
  CHECK(secret.reveal() == "hunter2");
  CHECK_FALSE(secret.empty());
  CHECK(Secret().empty());
}

TEST_CASE("a secret that was moved away leaves no bytes behind", "[secret]") {
  alignas(Secret) unsigned char place[sizeof(Secret)] = {};
  auto* secret = new (place) Secret("hunter2");  // short: kept inside the object
  REQUIRE(holds(place, sizeof place, "hunter2"));
  SECTION("into a new one") {
    const Secret other(std::move(*secret));
    CHECK(other.reveal() == "hunter2");
  }
  SECTION("into an old one") {
    Secret other("before");
    other = std::move(*secret);
    CHECK(other.reveal() == "hunter2");
  }
  SECTION("replaced by a shorter one") {
    *secret = Secret("x");
    CHECK(secret->reveal() == "x");
  }
  CHECK_FALSE(holds(place, sizeof place, "unter2"));
  secret->~Secret();
}

TEST_CASE("secrets are copied like values", "[secret]") {
  const Secret one("a rather long secret that needs memory of its own");
  Secret two;
  two = one;
  CHECK(two.reveal() == one.reveal());
  const Secret& same = two;
  two = same;
  CHECK(two.reveal() == one.reveal());
}
