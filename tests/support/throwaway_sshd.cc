#include "tests/support/throwaway_sshd.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/text.h"

namespace porter::tests {
namespace {

namespace fs = std::filesystem;

std::string sshd_program() {
  for (const char* candidate : {"/usr/sbin/sshd", "/usr/local/sbin/sshd"}) {
    if (::access(candidate, X_OK) == 0) return candidate;
  }
  return "";
}

void run(const std::vector<std::string>& arguments) {
  base::Command command;
  command.arguments = arguments;
  const base::CommandResult result =
      base::run_command(command, base::Deadline::in(std::chrono::seconds(30)), {});
  if (!result.ok())
    throw std::runtime_error(base::join(arguments, " ") + ": " + result.describe() + ": " + result.errors);
}

void make_key(const fs::path& file) {
  run({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "throwaway", "-f", file.string()});
}

sockaddr_in loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A port that was free a moment ago; the caller tries again when somebody else was quicker.
int free_port() {
  const base::UniqueFd probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(0);
  socklen_t length = sizeof address;
  if (::bind(probe.get(), reinterpret_cast<sockaddr*>(&address), length) != 0) base::throw_errno("bind");
  if (::getsockname(probe.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0)
    base::throw_errno("getsockname");
  return ntohs(address.sin_port);
}

bool accepts(int port) {
  const base::UniqueFd probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(port);
  return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

std::string login_name() {
  const passwd* entry = ::getpwuid(::geteuid());
  if (entry == nullptr) throw std::runtime_error("the user that runs the tests has no name");
  return entry->pw_name;
}

// sshd refuses to start as root without its privilege separation folder, which a service manager usually
// makes.
void make_separation_folder() {
  if (::geteuid() == 0 && ::mkdir("/run/sshd", 0755) != 0 && errno != EEXIST) base::throw_errno("/run/sshd");
}

std::string configuration(const fs::path& folder, int port, const SshdOptions& options) {
  std::string text;
  for (const std::string& line : options.extra_lines)
    text += line + "\n";
  text += fmt::format(
      "ListenAddress 127.0.0.1\nPort {0}\nHostKey {1}/host_key\nPidFile none\nAuthorizedKeysFile "
      "{1}/authorized_keys\n"
      "StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication "
      "no\nPermitRootLogin yes\n"
      "SetEnv HOME={1}/home\n"
      "PrintMotd no\nPrintLastLog no\nMaxStartups 1000\nMaxSessions 64\nUseDNS no\nLogLevel VERBOSE\n",
      port, folder.string());
  return text;
}

// Direct children of a process, from /proc.
std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto pid = base::parse_integer(entry.path().filename().string());
    if (!pid) continue;
    std::ifstream stat(entry.path() / "stat");
    std::string text((std::istreambuf_iterator<char>(stat)), {});
    const std::size_t after_name = text.rfind(')');
    if (after_name == std::string::npos) continue;
    std::istringstream rest(text.substr(after_name + 1));
    std::string state;
    pid_t its_parent = 0;
    rest >> state >> its_parent;
    if (its_parent == parent) found.push_back(static_cast<pid_t>(*pid));
  }
  return found;
}

void collect_tree(pid_t root, std::vector<pid_t>& tree) {
  tree.push_back(root);
  for (const pid_t child : children_of(root))
    collect_tree(child, tree);
}

// Collected first: the children of a killed process are no longer its children.
void signal_tree(pid_t root, int signal) {
  std::vector<pid_t> tree;
  collect_tree(root, tree);
  for (const pid_t pid : tree)
    ::kill(pid, signal);
}

}  // namespace

bool sshd_available() {
  if (sshd_program().empty()) return false;
  for (const char* candidate : {"/usr/bin/ssh-keygen", "/usr/local/bin/ssh-keygen"}) {
    if (::access(candidate, X_OK) == 0) return true;
  }
  return false;
}

ThrowawaySshd::ThrowawaySshd(const SshdOptions& options) : folder_("porter-sshd"), user_(login_name()) {
  make_separation_folder();
  make_key(identity());
  make_key(host_key());
  fs::copy_file(identity().string() + ".pub", authorized_keys());
  // What logins leave at home (a pushed agent) goes with the server, and what other runs left is not seen.
  fs::create_directory(folder() / "home");
  for (int attempt = 0; attempt < 5 && !child_; ++attempt)
    start(options);
  if (!child_) throw std::runtime_error("sshd did not come up: " + log());
  const std::string key = base::read_file(host_key().string() + ".pub");
  base::write_file(known_hosts(), fmt::format("[127.0.0.1]:{} {}", port_, key), 0600);
}

void ThrowawaySshd::start(const SshdOptions& options) {
  port_ = free_port();
  const fs::path config = folder() / "sshd_config";
  base::write_file(config, configuration(folder(), port_, options), 0600);
  base::Command command;
  command.arguments = {sshd_program(), "-D", "-f", config.string(), "-E", (folder() / "sshd.log").string()};
  child_ = base::Child::start(command, {});
  const base::Deadline deadline = base::Deadline::in(std::chrono::seconds(20));
  while (!accepts(port_)) {
    const bool ended = child_->try_wait().has_value();
    if (ended || deadline.passed()) return child_.reset();
    ::poll(nullptr, 0, 5);
  }
}

ThrowawaySshd::~ThrowawaySshd() {
  kill();
}

void ThrowawaySshd::kill() {
  if (!child_) return;
  signal_tree(child_->pid(), SIGKILL);
  child_.reset();
}

void ThrowawaySshd::freeze() {
  signal_tree(child_->pid(), SIGSTOP);
}

void ThrowawaySshd::thaw() {
  signal_tree(child_->pid(), SIGCONT);
}

pid_t ThrowawaySshd::pid() const {
  return child_ ? child_->pid() : -1;
}

std::string ThrowawaySshd::log() const {
  const fs::path file = folder() / "sshd.log";
  return fs::exists(file) ? base::read_file(file) : "";
}

}  // namespace porter::tests
