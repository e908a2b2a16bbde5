#pragma once
// Where a host is: "user@host:port", "[::1]:22", "local:", and ranges "web[01:20].example.org". Names are
// taken from an allow-list, since they end in argument lists of ssh and in messages. Pure; problems are
// thrown as base::Error(bad_value) without a location.

#include <string>
#include <string_view>
#include <vector>

namespace porter::settings {

struct Target {
  std::string user;     // empty: not given
  std::string address;  // a name or an IP address without brackets; "localhost" for local:
  int port = 22;
  bool port_given = false;
  bool local = false;  // "local:": no SSH, the agent is a child process
};

Target parse_target(std::string_view text);

// "web[01:03].x" gives web01.x, web02.x, web03.x; brackets with two or more colons are IPv6 and stay. Text
// without a range is its only result. At most 1,024 bytes of text and 10,000 results.
std::vector<std::string> expand_ranges(std::string_view text);

// Letters, digits and ". - _", no '-' at the start, not "." or ".."; an address may also be IPv6.
bool is_safe_name(std::string_view name);
bool is_safe_address(std::string_view address);

}  // namespace porter::settings
