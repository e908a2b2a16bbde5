// Over a real sshd: what a login shell, a real pipe and a closed channel do to the dialling scripts and to
// the agent.

#include <thread>

#include "core/transport/ssh_transport.h"
#include "tests/support/throwaway_sshd.h"
#include "tests/unit/endpoint/fixture.h"

using namespace porter;
using namespace porter::tests;

namespace {

// The product's own transport, counting what is started.
class Ssh : public transport::Transport {
 public:
  explicit Ssh(const ThrowawaySshd& server) {
    transport::SshTarget target;
    target.name = "testing";
    target.address = "127.0.0.1";
    target.port = server.port();
    target.user = server.user();
    target.identities = {server.identity()};
    transport::SshPolicy policy;
    policy.known_hosts = {server.known_hosts()};
    policy.local_user = server.user();
    transport::NoPrompter nobody;
    ssh_ = transport::connect_ssh(loops_, target, policy, nobody,
                                  base::Deadline::in(std::chrono::seconds(20)), {});
  }
  transport::Process start(const std::vector<std::string>& arguments) override {
    ++started;
    return ssh_->start(arguments);
  }
  std::string describe() const override { return ssh_->describe(); }
  transport::TrafficCount traffic() const override { return ssh_->traffic(); }
  int started = 0;

 private:
  transport::SshLoops loops_{1};
  std::unique_ptr<transport::Transport> ssh_;
};

}  // namespace

TEST_CASE("over sshd the agent is pushed once and then found, and a tree travels", "[ssh]") {
  PORTER_NEEDS_SSHD();
  const ThrowawaySshd server;
  Ssh transport(server);
  endpoint::DialOptions options;
  options.agent_path = (server.folder() / "agents here").string();
  const base::TemporaryFolder folder;
  const fs::path source = folder.path() / "source";
  const fs::path site = folder.path() / "site";
  for (int i = 0; i < 200; ++i)
    write(source / std::to_string(i % 9) / std::to_string(i), std::to_string(i));
  write(source / "large", random_bytes(3U << 20U, 1));
  {
    const auto agent = endpoint::Endpoint::dial(transport, bundle(), options);
    CHECK(agent->pushed());
    CHECK(transport.started == 3);
    agent->lock(lock_request(site));
    deploy(*agent, site, "r1", compose(source));
    CHECK(listing(source) == listing(site / "current/"));
    agent->close();
  }
  const auto again = endpoint::Endpoint::dial(transport, bundle(), options);
  CHECK_FALSE(again->pushed());
  CHECK(transport.started == 4);
  again->lock(lock_request(site));
  write(source / "large", read(source / "large") + "more");
  const protocol::StageReport report = deploy(*again, site, "r2", compose(source));
  CHECK(report.files_delta == 1);
  CHECK(report.wire_in + report.wire_out < 100000);
  CHECK(listing(source) == listing(site / "current/"));
}

TEST_CASE("a connection that is cut frees the lock by itself", "[ssh]") {
  PORTER_NEEDS_SSHD();
  ThrowawaySshd server;
  Ssh transport(server);
  endpoint::DialOptions options;
  options.agent_path = (server.folder() / "agents").string();
  const base::TemporaryFolder folder;
  const auto agent = endpoint::Endpoint::dial(transport, bundle(), options);
  agent->lock(lock_request(folder.path() / "site"));
  const LocalAgent other;
  CHECK(code_of([&] { other->lock(lock_request(folder.path() / "site")); }) == base::Code::locked);
  server.kill();
  CHECK(code_of([&] { agent->exists("/"); }) == base::Code::unreachable);
  // The agent notices the end of its stdin in its own time.
  for (int i = 0; i < 200; ++i) {
    try {
      other->lock(lock_request(folder.path() / "site"));
      break;
    } catch (const base::Error&) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  CHECK(code_of([&] { other->lock(lock_request(folder.path() / "site")); }) == base::Code::refused);
}
