#include "core/settings/target.h"

#include "tests/unit/settings/fixture.h"

using namespace porter::settings;
using porter::settings::test::error_of;

TEST_CASE("a target has user, address and port", "[target]") {
  const Target target = parse_target("deploy@testing-host.tld:2222");
  CHECK(target.user == "deploy");
  CHECK(target.address == "testing-host.tld");
  CHECK(target.port == 2222);
  CHECK(target.port_given);
  CHECK_FALSE(parse_target("host").port_given);
  CHECK(parse_target("host").port == 22);
  CHECK(parse_target("local:").local);
}

TEST_CASE("brackets that hold two or more colons are IPv6", "[target]") {
  CHECK(parse_target("[::1]:2200").address == "::1");
  CHECK(parse_target("[::1]:2200").port == 2200);
  CHECK(parse_target("u@[2001:db8::1]").address == "2001:db8::1");
  CHECK(expand_ranges("u@[2001:db8::1]:22") == std::vector<std::string>{"u@[2001:db8::1]:22"});
  CHECK(error_of([] { parse_target("::1"); }).find("[::1]") != std::string::npos);
  CHECK_FALSE(error_of([] { parse_target("[::zz]"); }).empty());
}

TEST_CASE("names with shell metacharacters or a leading dash are refused", "[target]") {
  for (const char* bad : {"-oProxyCommand=x",
                          "a b",
                          "a;b",
                          "$(x)",
                          "u$@h",
                          "-u@h",
                          "u@-h",
                          "h`x`",
                          "a|b",
                          "u@",
                          "",
                          "@h",
                          "h:0",
                          "h:65536",
                          "h:x",
                          "h:",
                          "[::1",
                          "[::1]x",
                          "u@h@",
                          "a/b",
                          "local:x",
                          "h:+1",
                          "h\nx",
                          "..",
                          "u@.",
                          "..@h"}) {
    CAPTURE(bad);
    CHECK_FALSE(error_of([&] { parse_target(bad); }).empty());
  }
}

TEST_CASE("ranges are expanded, with leading zeros when the first number has them", "[target]") {
  using List = std::vector<std::string>;
  CHECK(expand_ranges("web[08:11].x") == List{"web08.x", "web09.x", "web10.x", "web11.x"});
  CHECK(expand_ranges("w[9:10]") == List{"w9", "w10"});
  CHECK(expand_ranges("a[1:2]b[1:2]") == List{"a1b1", "a1b2", "a2b1", "a2b2"});
  CHECK(expand_ranges("plain") == List{"plain"});
  for (const char* bad : {"w[2:1]", "w[a:b]", "w[1]", "w[1:2", "w[]", "w[1:99999]", "a[1:999]b[1:999]"}) {
    CAPTURE(bad);
    CHECK_FALSE(error_of([&] { expand_ranges(bad); }).empty());
  }
}

TEST_CASE("thousands of ranges in one name are refused, not followed one into the other") {
  std::string ranges;
  for (int i = 0; i < 12000; ++i)
    ranges += "[1:1]";
  CHECK_FALSE(error_of([&] { expand_ranges(ranges); }).empty());
  CHECK(expand_ranges("[1:1][1:1]a") == std::vector<std::string>{"11a"});
}
