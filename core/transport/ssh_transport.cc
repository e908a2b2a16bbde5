#include "core/transport/ssh_transport.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/text.h"
#include "core/transport/base64.h"
#include "core/transport/known_hosts.h"
#include "core/transport/ssh_link.h"
#include "core/transport/ssh_login.h"
#include "core/transport/ssh_route.h"
#include "core/transport/tcp_connect.h"

namespace porter::transport {
namespace {

using base::Code;
using base::Error;

constexpr int most_hops = 8;  // a chain of jumps that is longer goes in a circle

// The library's order, less what is not allowed any more.
constexpr std::array<std::string_view, 6> key_algorithms = {"ssh-ed25519",         "ecdsa-sha2-nistp521",
                                                            "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp256",
                                                            "rsa-sha2-512",        "rsa-sha2-256"};

// Those first for which a key is known, so that a host with several keys shows one we can check.
std::string wanted_key_algorithms(const std::vector<std::string>& known_types) {
  const auto is_known = [&](std::string_view algorithm) {
    const std::string_view type = algorithm.starts_with("rsa-") ? "ssh-rsa" : algorithm;
    return std::find(known_types.begin(), known_types.end(), type) != known_types.end();
  };
  std::vector<std::string> names(key_algorithms.begin(), key_algorithms.end());
  std::stable_partition(names.begin(), names.end(), is_known);
  return base::join(names, ",");
}

HostKey server_key(ssh_session session, const std::string& where) {
  ssh_key raw = nullptr;
  if (::ssh_get_server_publickey(session, &raw) != SSH_OK)
    throw ssh_error(session, where, SshStep::connecting);
  const KeyPtr key(raw);
  char* text = nullptr;
  if (::ssh_pki_export_pubkey_base64(key.get(), &text) != SSH_OK)
    throw ssh_error(session, where, SshStep::connecting);
  const std::string blob = text;
  ::ssh_string_free_char(text);
  // The blob begins with its own type name; the library's name for ECDSA lacks the curve.
  const auto bytes = from_base64(blob);
  if (!bytes || bytes->size() < 4)
    throw Error(Code::host_key, fmt::format("{}: a host key that is none", where));
  const std::size_t length = std::min<std::size_t>(bytes->size() - 4, (*bytes)[3]);
  const std::string type(bytes->begin() + 4, bytes->begin() + 4 + static_cast<std::ptrdiff_t>(length));
  return make_host_key(base::printable(type), blob);
}

Error unknown_key(const SshRoute& route, const HostKey& key) {
  const std::string& name = route.target.name.empty() ? route.target.address : route.target.name;
  return Error(Code::host_key, fmt::format("{}: the host key is not known: {} {}", describe(route.target),
                                           key.type, key.fingerprint))
      .hint(fmt::format("compare the fingerprint with the host's own, then: porter-admin hosts trust {}",
                        base::printable(name)));
}

Error changed_key(const SshRoute& route, const HostKey& key, const std::vector<KnownKey>& expected) {
  std::vector<std::string> known;
  for (const KnownKey& each : expected) {
    std::string fingerprint = "an unreadable key";
    if (from_base64(each.blob)) fingerprint = make_host_key(each.type, each.blob).fingerprint;
    known.push_back(
        fmt::format("{} {} ({})", base::printable(each.type), fingerprint, base::printable(each.place)));
  }
  const std::string name = known_host_name(route.target.address, route.target.port);
  return Error(Code::host_key,
               fmt::format("{}: THE HOST KEY HAS CHANGED: it shows {} {}, known is {}. Somebody may be "
                           "listening in, or the host was "
                           "set up anew",
                           describe(route.target), key.type, key.fingerprint, base::join(known, ", ")))
      .hint(fmt::format(
          "only if the change is known to be right: ssh-keygen -R {}, then: porter-admin hosts trust {}",
          base::quote_shell(name),
          base::printable(route.target.name.empty() ? route.target.address : route.target.name)));
}

Error revoked_key(const SshRoute& route, const HostKey& key, const KnownKey& line) {
  return Error(Code::host_key, fmt::format("{}: THE HOST KEY IS REVOKED: {} {} by {}", describe(route.target),
                                           key.type, key.fingerprint, base::printable(line.place)))
      .hint("the key is not to be trusted any more: have the host make a new one");
}

// Throws unless the key is known; an unknown key is a value, since `hosts trust` is about it.
KeyLookup::Verdict judge(const SshRoute& route, const HostKey& key, const KnownHosts& known) {
  const KeyLookup found = known.look_up(route.target.address, route.target.port, key);
  if (found.verdict == KeyLookup::Verdict::revoked) throw revoked_key(route, key, found.expected.front());
  if (found.verdict == KeyLookup::Verdict::changed) throw changed_key(route, key, found.expected);
  return found.verdict;
}

class SshTransport : public Transport {
 public:
  explicit SshTransport(std::shared_ptr<SshLink> link) : link_(std::move(link)) {}
  ~SshTransport() override { link_->close(); }

  Process start(const std::vector<std::string>& arguments) override {
    return link_->start({base::quote_shell(arguments), "", 0});
  }
  std::string describe() const override { return link_->where(); }
  TrafficCount traffic() const override { return link_->traffic(); }

 private:
  std::shared_ptr<SshLink> link_;
};

// What a connection needs on its way up.
class Connector {
 public:
  Connector(SshLoops& loops, const SshPolicy& policy, Prompter& prompter, base::Deadline deadline,
            const base::CancelToken& cancel)
      : loops_(loops), policy_(policy), prompter_(prompter), deadline_(deadline), cancel_(cancel) {}

  // Connected, checked, logged in, in service.
  std::shared_ptr<SshLink> open(const SshTarget& target, int depth = 0) {
    const SshRoute route = find_route(target, policy_);
    const KnownHosts known = KnownHosts::read(route.known_hosts);
    std::shared_ptr<SshLink> link = exchange_keys(route, known, depth);
    const HostKey key = server_key(link->session(), link->where());
    if (judge(route, key, known) != KeyLookup::Verdict::known) throw unknown_key(route, key);
    log_in(*link, {route.identities, route.defaults, policy_.agent_socket, policy_.auth_timeout}, prompter_,
           deadline_, cancel_);
    link->serve();
    return link;
  }

  // Connected, with the key still to be judged.
  std::shared_ptr<SshLink> exchange_keys(const SshRoute& route, const KnownHosts& known, int depth) {
    const std::string where = describe(route.target);
    std::shared_ptr<SshLink> via;
    Process way;
    if (!route.jumps.empty()) {
      via = open_jump(route, depth);
      way = via->start({"", route.target.address, route.target.port});
    }
    base::UniqueFd socket = via ? std::move(way.stream) : dial(route, where);
    if (via) base::set_nonblocking(socket.get());
    SessionPtr session = make_session(route.target.address, route.target.user);
    const std::string algorithms =
        wanted_key_algorithms(known.types(route.target.address, route.target.port));
    ::ssh_options_set(session.get(), SSH_OPTIONS_HOSTKEYS, algorithms.c_str());
    auto link =
        std::make_shared<SshLink>(loops_.pick(), std::move(session), std::move(socket), where,
                                  LinkTimes{policy_.keepalive, policy_.idle_timeout}, via, std::move(way));
    shake_hands(*link);
    return link;
  }

 private:
  base::Deadline step_deadline() const {
    const base::Deadline own = base::Deadline::in(policy_.connect_timeout);
    return own.moment() < deadline_.moment() ? own : deadline_;
  }

  // The last jump is reached through those before it; the first one as its own configuration says.
  std::shared_ptr<SshLink> open_jump(const SshRoute& route, int depth) {
    if (depth >= most_hops)
      throw Error(Code::cycle,
                  fmt::format("{}: more than {} jump hosts in a row", describe(route.target), most_hops));
    SshTarget jump = parse_ssh_target(route.jumps.back());
    if (route.jumps.size() > 1) jump.jump = base::join({route.jumps.begin(), route.jumps.end() - 1}, ",");
    return base::while_doing(fmt::format("while jumping to {}", describe(route.target)),
                             [&] { return open(jump, depth + 1); });
  }

  base::UniqueFd dial(const SshRoute& route, const std::string& where) {
    try {
      return tcp_connect(route.target.address, route.target.port, step_deadline(), cancel_);
    } catch (const Error& error) {
      throw Error(error.code(), fmt::format("{}: cannot connect: {}", where, error.message()));
    }
  }

  void shake_hands(SshLink& link) {
    int answer = SSH_ERROR;
    try {
      answer = link.drive([](ssh_session session) { return ::ssh_connect(session); }, SSH_AGAIN,
                          step_deadline(), cancel_);
    } catch (const Error& error) {
      if (error.code() != Code::timeout) throw;
      throw link.failure_on_the_way().value_or(Error(
          Code::timeout, fmt::format("{}: cannot connect: no answer within the time allowed", link.where())));
    }
    if (answer == SSH_OK) return;
    throw link.failure_on_the_way().value_or(ssh_error(link.session(), link.where(), SshStep::connecting));
  }

  SshLoops& loops_;
  const SshPolicy& policy_;
  Prompter& prompter_;
  base::Deadline deadline_;
  const base::CancelToken& cancel_;
};

}  // namespace

SshLoops::SshLoops(unsigned count) {
  for (unsigned i = 0; i < std::max(1U, count); ++i)
    loops_.push_back(std::make_shared<IoLoop>());
}

SshLoops::~SshLoops() {
  for (const auto& loop : loops_)
    loop->stop();
}

std::shared_ptr<IoLoop> SshLoops::pick() {
  return *std::min_element(loops_.begin(), loops_.end(),
                           [](const auto& a, const auto& b) { return a->pinned() < b->pinned(); });
}

std::unique_ptr<Transport> connect_ssh(SshLoops& loops, const SshTarget& target, const SshPolicy& policy,
                                       Prompter& prompter, base::Deadline deadline,
                                       const base::CancelToken& cancel) {
  return std::make_unique<SshTransport>(Connector(loops, policy, prompter, deadline, cancel).open(target));
}

HostKey trust_host(SshLoops& loops, const SshTarget& target, const SshPolicy& policy, Prompter& prompter,
                   const std::function<bool(const HostKey&)>& confirm, base::Deadline deadline,
                   const base::CancelToken& cancel) {
  const SshRoute route = find_route(target, policy);
  const KnownHosts known = KnownHosts::read(route.known_hosts);
  const auto link = Connector(loops, policy, prompter, deadline, cancel).exchange_keys(route, known, 0);
  const HostKey key = server_key(link->session(), link->where());
  link->close();
  if (judge(route, key, known) == KeyLookup::Verdict::known || !confirm(key)) return key;
  append_known_host(route.known_hosts.front(), route.target.address, route.target.port, key);
  return key;
}

}  // namespace porter::transport
