#pragma once
// Where an SSH connection goes and how it behaves there, as values. Validation is by allow-list: nothing that
// begins with '-' or holds a character a shell could see gets past it.

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/world.h"

namespace porter::transport {

struct SshTarget {
  std::string name;                               // as the user calls the host; for messages
  std::string address;                            // host name, IP address, or an alias in ~/.ssh/config
  int port = 0;                                   // 0: from ~/.ssh/config, else 22
  std::string user;                               // empty: from ~/.ssh/config, else the local user
  std::vector<std::filesystem::path> identities;  // tried before those of ~/.ssh/config
  std::string
      jump;  // "[user@]host[:port]", several with commas; empty: ProxyJump of ~/.ssh/config; "none": never
};

// All times are waits on one step, cut short by the caller's deadline.
struct SshPolicy {
  std::vector<std::filesystem::path>
      known_hosts;                    // the first is where `hosts trust` writes; empty: the defaults
  std::filesystem::path config_file;  // ~/.ssh/config; empty: none is read
  std::filesystem::path home;         // for ~ and the default identities; empty: none of those
  std::string agent_socket;           // SSH_AUTH_SOCK; empty: no agent is asked
  std::string local_user;             // who logs in when nothing names a user
  std::chrono::milliseconds connect_timeout{15'000};  // TCP and key exchange, per hop
  std::chrono::milliseconds auth_timeout{60'000};     // people type slowly; prompts do not count
  std::chrono::milliseconds keepalive{10'000};  // silence after which the far end is asked for a sign of life
  std::chrono::milliseconds idle_timeout{45'000};  // silence after which the connection counts as broken

  // Files, agent and user as `ssh` would find them in this world.
  static SshPolicy from(const base::World& world);
};

// Throw Error(bad_value) that names the value and what is allowed: letters, digits, '.', '-', '_' (and ':'
// and '%' in an IPv6 address), no '-' in front, at most 255 bytes; users may hold no ':' or '%'.
void check_host_name(std::string_view host);
void check_user_name(std::string_view user);

// "[user@]host[:port]" with brackets around IPv6; validated. Throws Error(bad_value).
SshTarget parse_ssh_target(std::string_view text);

// `testing (deploy@127.0.0.1:2222)`; the part in brackets alone when the name says no more.
std::string describe(const SshTarget& target);

}  // namespace porter::transport
