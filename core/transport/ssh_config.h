#pragma once
// What ~/.ssh/config says about one host: a small reader of our own, so that the library reads no files
// behind our back. Known: Host (patterns, '!'), HostName, User, Port, IdentityFile, ProxyJump,
// UserKnownHostsFile. Everything else, `Match` blocks and `Include` are passed over. As in ssh, the first
// value found counts; IdentityFile adds up.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace porter::transport {

struct SshHostConfig {
  std::string host_name;  // empty: not said
  int port = 0;
  std::string user;
  std::string jump;
  std::vector<std::filesystem::path> identities;
  std::vector<std::filesystem::path> known_hosts;
};

// `home` replaces "~" and "%d"; `alias` is what the Host lines are held against and what "%h" in HostName
// means. Throws Error(bad_value) at `file` and line for a value that cannot be.
SshHostConfig parse_ssh_config(std::string_view text, std::string_view alias,
                               const std::filesystem::path& home, const std::string& file);

// A missing file says nothing.
SshHostConfig read_ssh_config(const std::filesystem::path& file, std::string_view alias,
                              const std::filesystem::path& home);

}  // namespace porter::transport
