#include "core/settings/target.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/base/error.h"
#include "core/base/text.h"

namespace porter::settings {
namespace {

using base::Code;
using base::Error;

constexpr std::size_t most_hosts = 10000;
constexpr std::size_t longest_pattern = 1024;  // bounds how deep expand_into() calls itself
constexpr std::string_view shape = "write user@host:port, user@[IPv6]:port or local:";

bool is_digits(std::string_view text) {
  return !text.empty() && text.size() < 10 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_ipv6(std::string_view text) {
  in6_addr address{};
  return inet_pton(AF_INET6, std::string(text).c_str(), &address) == 1;
}

int parse_port(std::string_view text) {
  const std::optional<std::int64_t> port = base::parse_integer(text);
  if (!is_digits(text) || !port || *port < 1 || *port > 65535) {
    throw Error(Code::bad_value, fmt::format("expected a port from 1 to 65535, got \"{}\"", text));
  }
  return static_cast<int>(*port);
}

// "host", "host:port", "[v6]" or "[v6]:port".
void parse_address(std::string_view text, Target& target) {
  std::string_view port;
  if (text.substr(0, 1) == "[") {
    const std::size_t end = text.find(']');
    const bool closed = end != std::string_view::npos && (end + 1 == text.size() || text[end + 1] == ':');
    if (!closed)
      throw Error(Code::bad_value, fmt::format("\"{}\" is no address", text)).hint(std::string(shape));
    target.address = text.substr(1, end - 1);
    if (!is_ipv6(target.address))
      throw Error(Code::bad_value, fmt::format("\"{}\" is no IPv6 address", target.address));
    if (end + 1 == text.size()) return;
    port = text.substr(end + 2);
  } else {
    const std::size_t colon = text.find(':');
    target.address = text.substr(0, colon);
    if (colon == std::string_view::npos) return;
    port = text.substr(colon + 1);
    if (is_ipv6(text)) {
      throw Error(Code::bad_value, fmt::format("an IPv6 address stands in brackets, got \"{}\"", text))
          .hint(fmt::format("write [{}]", text));
    }
  }
  target.port = parse_port(port);
  target.port_given = true;
}

struct Range {
  std::size_t begin;  // of the '['
  std::size_t end;    // behind the ']'
  std::string_view first;
  std::string_view last;
};

// The first "[01:20]" at or behind `from`.
std::optional<Range> find_range(std::string_view text, std::size_t from) {
  for (std::size_t begin = text.find('[', from); begin != std::string_view::npos;
       begin = text.find('[', begin + 1)) {
    const std::size_t end = text.find(']', begin);
    if (end == std::string_view::npos)
      throw Error(Code::bad_value, fmt::format("the bracket is never closed in \"{}\"", text));
    const std::string_view inner = text.substr(begin + 1, end - begin - 1);
    const auto colons = std::count(inner.begin(), inner.end(), ':');
    if (colons > 1) continue;  // IPv6
    const std::size_t colon = inner.find(':');
    const std::string_view first = inner.substr(0, colon);
    const std::string_view last = colons == 1 ? inner.substr(colon + 1) : std::string_view();
    if (!is_digits(first) || !is_digits(last)) {
      throw Error(Code::bad_value, fmt::format("expected a range like [01:20], got \"[{}]\"", inner));
    }
    return Range{begin, end + 1, first, last};
  }
  return std::nullopt;
}

void expand_into(const std::string& text, std::size_t from, std::vector<std::string>& out) {
  const std::optional<Range> range = find_range(text, from);
  if (!range) {
    if (out.size() >= most_hosts)
      throw Error(Code::bad_value, fmt::format("the range makes more than {} hosts", most_hosts));
    out.push_back(text);
    return;
  }
  const std::int64_t first = *base::parse_integer(range->first);
  const std::int64_t last = *base::parse_integer(range->last);
  if (first > last)
    throw Error(Code::bad_value, fmt::format("the range [{}:{}] runs backwards", range->first, range->last));
  const std::size_t width = range->first.front() == '0' ? range->first.size() : 1;
  for (std::int64_t number = first; number <= last; ++number) {
    const std::string head = text.substr(0, range->begin) + fmt::format("{:0{}}", number, width);
    expand_into(head + text.substr(range->end), head.size(), out);
  }
}

}  // namespace

Target parse_target(std::string_view text) {
  Target target;
  if (text == "local:") {
    target.local = true;
    target.address = "localhost";
    return target;
  }
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    target.user = text.substr(0, at);
    if (!is_safe_name(target.user)) {
      throw Error(Code::bad_value, fmt::format("\"{}\" is no user name that can be used", target.user))
          .hint("letters, digits and . - _ are allowed, with no - at the start");
    }
    text.remove_prefix(at + 1);
  }
  parse_address(text, target);
  if (!is_safe_address(target.address)) {
    throw Error(Code::bad_value, fmt::format("\"{}\" is no host name that can be used", target.address))
        .hint("letters, digits and . - _ are allowed, with no - at the start; " + std::string(shape));
  }
  return target;
}

std::vector<std::string> expand_ranges(std::string_view text) {
  if (text.size() > longest_pattern) {
    throw Error(Code::bad_value,
                fmt::format("a host has at most {} bytes, got {}", longest_pattern, text.size()));
  }
  std::vector<std::string> out;
  expand_into(std::string(text), 0, out);
  return out;
}

bool is_safe_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
  };
  if (name == "." || name == "..") return false;  // configs are folders, too
  return !name.empty() && name.size() <= 253 && name.front() != '-' &&
         std::all_of(name.begin(), name.end(), allowed);
}

bool is_safe_address(std::string_view address) {
  return is_safe_name(address) || is_ipv6(address);
}

}  // namespace porter::settings
