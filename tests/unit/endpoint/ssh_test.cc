// Over a real sshd, with the system's own ssh as the carrier: what a login shell, a real pipe and a closed
// channel do to the dialling scripts and to the agent.

#include <thread>

#include "core/base/text.h"
#include "tests/support/throwaway_sshd.h"
#include "tests/unit/endpoint/fixture.h"

using namespace porter;
using namespace porter::tests;

namespace {

class OpenSsh : public transport::Transport {
 public:
  explicit OpenSsh(const ThrowawaySshd& server) : server_(server) {}
  transport::Process start(const std::vector<std::string>& arguments) override {
    ++started;
    return local_->start({"ssh", "-F", "/dev/null", "-T", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes",
                          "-o", "UserKnownHostsFile=" + server_.known_hosts().string(), "-i",
                          server_.identity().string(), "-p", std::to_string(server_.port()),
                          server_.user() + "@127.0.0.1", base::quote_shell(arguments)});
  }
  std::string describe() const override { return "testing"; }
  transport::TrafficCount traffic() const override { return {}; }
  int started = 0;

 private:
  const ThrowawaySshd& server_;
  std::unique_ptr<transport::Transport> local_ = transport::make_local_transport("ssh");
};

}  // namespace

TEST_CASE("over sshd the agent is pushed once and then found, and a tree travels", "[ssh]") {
  PORTER_NEEDS_SSHD();
  const ThrowawaySshd server;
  OpenSsh transport(server);
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
  OpenSsh transport(server);
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
