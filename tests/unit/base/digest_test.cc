#include "core/base/digest.h"

#include "tests/support/catch.h"

using namespace porter::base;

TEST_CASE("bytes come back from their hexadecimal form, and from no other text", "[digest]") {
  std::string all;
  for (int i = 0; i < 256; ++i)
    all += static_cast<char>(i);
  const std::string hex = to_hex(std::span(reinterpret_cast<const std::uint8_t*>(all.data()), all.size()));
  CHECK(from_hex(hex) == all);
  CHECK(from_hex("") == "");
  for (const char* odd : {"0", "0g", "g0", "0 ", "0A", "0x12", "12\n"})
    CHECK_FALSE(from_hex(odd).has_value());
}
