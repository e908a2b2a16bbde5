#include "core/transport/ssh_target.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"

namespace porter::transport {
namespace {

using base::Code;
using base::Error;

bool is_word_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
         c == '_';
}

void check_name(std::string_view name, std::string_view what, std::string_view also) {
  const auto allowed = [&](char c) { return is_word_character(c) || also.find(c) != std::string_view::npos; };
  if (!name.empty() && name.size() <= 255 && name.front() != '-' &&
      std::all_of(name.begin(), name.end(), allowed))
    return;
  throw Error(
      Code::bad_value,
      fmt::format("\"{}\": not a {}: expected letters, digits and {} only, and no '-' in front",
                  base::printable(name), what, also == ":%" ? "'.', '-', '_'" : "'.', '-', '_', '@', '+'"));
}

int parse_port(std::string_view text) {
  const auto port = base::parse_integer(text);
  if (port && *port >= 1 && *port <= 65535) return static_cast<int>(*port);
  throw Error(Code::bad_value,
              fmt::format("\"{}\": not a port: expected a number from 1 to 65535", base::printable(text)));
}

// Splits "host", "host:port", "[v6]", "[v6]:port" and a bare IPv6 address.
void take_address(SshTarget& target, std::string_view text) {
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos)
      throw Error(Code::bad_value, fmt::format("\"{}\": '[' without ']'", base::printable(text)));
    target.address = text.substr(1, end - 1);
    port = text.substr(end + 1);
    if (!port.empty() && port.front() != ':')
      throw Error(Code::bad_value, fmt::format("\"{}\": expected ':' after ']'", base::printable(text)));
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    target.address = text.substr(0, text.find(':'));
    port = text.substr(text.find(':'));
  } else {
    target.address = text;
  }
  if (!port.empty()) target.port = parse_port(port.substr(1));
}

std::string login_name() {
  const passwd* entry = ::getpwuid(::geteuid());
  return entry != nullptr ? entry->pw_name : "";
}

}  // namespace

void check_host_name(std::string_view host) {
  check_name(host, "host name", ":%");
}

void check_user_name(std::string_view user) {
  check_name(user, "user name", "@+");
}

SshTarget parse_ssh_target(std::string_view text) {
  SshTarget target;
  const std::size_t at = text.rfind('@');
  if (at != std::string_view::npos) {
    target.user = text.substr(0, at);
    check_user_name(target.user);
    text.remove_prefix(at + 1);
  }
  take_address(target, text);
  check_host_name(target.address);
  target.name = target.address;
  return target;
}

std::string describe(const SshTarget& target) {
  const std::string host =
      target.address.find(':') == std::string::npos ? target.address : "[" + target.address + "]";
  const std::string where = fmt::format("{}{}{}{}", target.user, target.user.empty() ? "" : "@", host,
                                        target.port == 0 ? "" : fmt::format(":{}", target.port));
  if (target.name.empty() || target.name == where) return base::printable(where);
  return base::printable(fmt::format("{} ({})", target.name, where));
}

SshPolicy SshPolicy::from(const base::World& world) {
  SshPolicy policy;
  policy.home = world.home();
  policy.config_file = policy.home / ".ssh" / "config";
  policy.agent_socket = world.variable("SSH_AUTH_SOCK").value_or("");
  policy.local_user = login_name();
  return policy;
}

}  // namespace porter::transport
