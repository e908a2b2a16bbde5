#include "core/transport/ssh_route.h"

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/transport/ssh_config.h"

namespace porter::transport {
namespace {

constexpr int default_port = 22;

std::filesystem::path expand_home(const std::filesystem::path& file, const std::filesystem::path& home) {
  const std::string text = file.string();
  return text.starts_with("~/") ? home / text.substr(2) : file;
}

std::vector<std::filesystem::path> default_identities(const std::filesystem::path& home) {
  if (home.empty()) return {};
  return {home / ".ssh/id_ed25519", home / ".ssh/id_ecdsa", home / ".ssh/id_rsa"};
}

std::vector<std::filesystem::path> known_hosts_files(const SshPolicy& policy, const SshHostConfig& config) {
  if (!policy.known_hosts.empty()) return policy.known_hosts;
  std::vector<std::filesystem::path> files = config.known_hosts;
  if (files.empty() && !policy.home.empty())
    files = {policy.home / ".ssh/known_hosts", policy.home / ".ssh/known_hosts2"};
  files.emplace_back("/etc/ssh/ssh_known_hosts");
  return files;
}

std::vector<std::string> jumps_of(const std::string& text) {
  if (base::lower(text) == "none") return {};
  std::vector<std::string> jumps = base::comma_list(text);
  for (std::string& jump : jumps) {
    if (jump.starts_with("ssh://")) jump.erase(0, 6);
    parse_ssh_target(jump);  // refuses what is not allowed
  }
  return jumps;
}

std::string first_of(const std::string& a, const std::string& b, const std::string& c = "") {
  if (!a.empty()) return a;
  return b.empty() ? c : b;
}

}  // namespace

SshRoute find_route(const SshTarget& target, const SshPolicy& policy) {
  check_host_name(target.address);
  const SshHostConfig config = read_ssh_config(policy.config_file, target.address, policy.home);
  SshRoute route;
  route.target = target;
  route.target.address = first_of(config.host_name, target.address);
  route.target.user = first_of(target.user, config.user, policy.local_user);
  if (route.target.port == 0) route.target.port = config.port != 0 ? config.port : default_port;
  route.target.jump.clear();
  check_host_name(route.target.address);
  check_user_name(route.target.user);
  for (const auto& file : target.identities)
    route.identities.push_back(expand_home(file, policy.home));
  for (const auto& file : config.identities)
    route.identities.push_back(file);
  route.defaults = default_identities(policy.home);
  route.known_hosts = known_hosts_files(policy, config);
  route.jumps = jumps_of(first_of(target.jump, config.jump));
  return route;
}

}  // namespace porter::transport
