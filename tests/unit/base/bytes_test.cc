#include "core/base/bytes.h"

#include <cstdint>
#include <limits>
#include <vector>

#include "tests/support/catch.h"

using namespace porter::base;

TEST_CASE("every number comes back as it was written") {
  const std::vector<std::uint64_t> numbers = {
      0, 1, 127, 128, 300, 16383, 16384, 1ULL << 32U, 1ULL << 63U, std::numeric_limits<std::uint64_t>::max()};
  const std::vector<std::int64_t> signed_numbers = {
      0, -1, 1, -64, 64, std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()};
  ByteWriter writer;
  for (const auto number : numbers)
    writer.varint(number).u64(number).u32(static_cast<std::uint32_t>(number));
  for (const auto number : signed_numbers)
    writer.signed_varint(number);
  ByteReader reader(writer.data());
  for (const auto number : numbers) {
    CHECK(reader.varint() == number);
    CHECK(reader.u64() == number);
    CHECK(reader.u32() == static_cast<std::uint32_t>(number));
  }
  for (const auto number : signed_numbers)
    CHECK(reader.signed_varint() == number);
  CHECK(reader.at_end());
}

TEST_CASE("the bytes of numbers and texts are those of the format") {
  CHECK(ByteWriter().varint(300).data() == std::string("\xAC\x02"));
  CHECK(ByteWriter().signed_varint(-2).data() == std::string("\x03"));
  CHECK(ByteWriter().u32(0x01020304).data() == std::string("\x01\x02\x03\x04"));
  CHECK(ByteWriter().text("ab").data() == std::string("\x02"
                                                      "ab"));
}

TEST_CASE("a number with needless bytes or beyond 64 bits is refused") {
  CHECK_THROWS_AS(ByteReader(std::string_view("\x80\x00", 2)).varint(), Error);
  const std::string beyond = std::string(9, '\xFF') + "\x02";
  CHECK_THROWS_AS(ByteReader(beyond).varint(), Error);
  const std::string endless(20, '\xFF');
  CHECK_THROWS_AS(ByteReader(endless).varint(), Error);
}

TEST_CASE("a length beyond what is left is refused before anything is taken") {
  const std::string claims = ByteWriter().varint(1U << 30U).raw("abc").take();
  CHECK_THROWS_AS(ByteReader(claims).text(1U << 31U), Error);
  CHECK_THROWS_AS(ByteReader(claims).count(1), Error);
  CHECK_THROWS_AS(ByteReader(claims).text(10), Error);
  ByteReader reader(claims, "greeting");
  reader.varint();
  CHECK(reader.raw(3) == "abc");
  CHECK_THROWS_WITH(reader.u8(), "greeting: cut short: 1 more bytes needed, 0 left, at byte 8");
}

TEST_CASE("a checksum is the documented bytes, and is written and read as it is") {
  const Checksum sum = checksum("porter");
  const std::string bytes = ByteWriter().checksum(sum).take();
  CHECK(to_hex(sum) == "ccec62916091246ebddba966350e0f00");  // as xxhsum -H2 prints it
  CHECK(ByteReader(bytes).checksum() == sum);
  CHECK_THROWS_AS(ByteReader(std::string_view(bytes).substr(1)).checksum(), Error);
}
