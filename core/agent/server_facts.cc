#include "core/agent/server_facts.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <ctime>
#include <memory>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/text.h"
#include "core/protocol/messages.h"
#include "core/protocol/unpacker.h"

namespace porter::agent {
namespace {

struct Account {
  std::string name;
  std::string home;
};

Account account_of(uid_t uid) {
  try {
    for (const std::string& line : base::split(base::read_file("/etc/passwd"), '\n')) {
      const std::vector<std::string> fields = base::split(line, ':');
      if (fields.size() >= 7 && base::parse_integer(fields[2]) == std::int64_t{uid})
        return {fields[0], fields[5]};
    }
  } catch (const base::Error&) {
    // Accounts may live elsewhere (LDAP): the environment is next.
  }
  const char* name = std::getenv("USER");
  const char* home = std::getenv("HOME");
  return {name != nullptr ? name : fmt::format("{}", uid), home != nullptr ? home : "/"};
}

std::string first_address() {
  ifaddrs* raw = nullptr;
  if (::getifaddrs(&raw) != 0) return "127.0.0.1";
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> all(raw, ::freeifaddrs);
  for (const ifaddrs* one = raw; one != nullptr; one = one->ifa_next) {
    const bool usable = one->ifa_addr != nullptr && one->ifa_addr->sa_family == AF_INET &&
                        (one->ifa_flags & IFF_LOOPBACK) == 0 && (one->ifa_flags & IFF_UP) != 0;
    if (!usable) continue;
    std::array<char, INET_ADDRSTRLEN> text{};
    const auto* address = reinterpret_cast<const sockaddr_in*>(one->ifa_addr);
    if (::inet_ntop(AF_INET, &address->sin_addr, text.data(), text.size()) != nullptr) return text.data();
  }
  return "127.0.0.1";
}

}  // namespace

base::Digest own_digest() {
  return base::sha256_of_file("/proc/self/exe");
}

protocol::Hello gather_facts() {
  protocol::Hello hello;
  hello.major = protocol::kMajor;
  hello.minor = protocol::kMinor;
  hello.features = {std::string(protocol::kPacking)};
  hello.version = PORTER_VERSION;
  hello.digest = own_digest();
  hello.pid = static_cast<std::uint64_t>(::getpid());
  hello.uid = ::getuid();
  const Account account = account_of(::getuid());
  hello.user = account.name;
  hello.home = account.home;
  utsname names{};
  if (::uname(&names) == 0) {
    hello.hostname = static_cast<const char*>(names.nodename);
    hello.machine = static_cast<const char*>(names.machine);
    hello.system = fmt::format("{} {}", static_cast<const char*>(names.sysname),
                               static_cast<const char*>(names.release));
  }
  hello.ipv4 = first_address();
  hello.clock = std::time(nullptr);
  return hello;
}

}  // namespace porter::agent
