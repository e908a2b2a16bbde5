// Much content over a long way travels over several channels, and what becomes of those that fail.

#include <thread>

#include "core/base/text.h"
#include "tests/unit/endpoint/far_transport.h"
#include "tests/unit/endpoint/fixture.h"

using namespace porter;
using namespace porter::tests;

namespace {

// What becomes of the processes that shall bring further channels.
enum class Further { join, refused, strangers, silent, noisy };

class ManyChannels : public FarTransport {
 public:
  explicit ManyChannels(Further further) : further_(further) {}

  transport::Process start(const std::vector<std::string>& arguments) override {
    const bool joins = arguments.size() > 1 && arguments[arguments.size() - 2] == "--join";
    if (!joins) return FarTransport::start(arguments);
    ++asked;
    switch (further_) {
      case Further::join:
        return FarTransport::start(arguments);
      case Further::refused:
        throw base::Error(base::Code::unreachable, "no more sessions");
      case Further::strangers:
        return FarTransport::start({bundle().own().file.string(), "--serve"});
      case Further::silent:
        return FarTransport::start({"sleep", "100"});
      case Further::noisy:
        return FarTransport::start({"yes"});
    }
    return {};
  }

  int asked = 0;

 private:
  Further further_;
};

std::unique_ptr<endpoint::Endpoint> dial(transport::Transport& transport) {
  endpoint::DialOptions options;
  options.start = endpoint::DialOptions::Start::child;
  return endpoint::Endpoint::dial(transport, bundle(), options);
}

// 12 MB that do not get smaller, in small files and a large one.
sync::Composed much(const fs::path& source, unsigned seed) {
  for (unsigned i = 0; i < 800; ++i)
    write(source / std::to_string(i % 9) / std::to_string(i), random_bytes(3000 + 17 * i, seed + i));
  write(source / "large", random_bytes(5'000'000, seed));
  return compose(source);
}

std::size_t channels_of(const endpoint::Endpoint& agent, std::string_view name) {
  for (const endpoint::StepCount& step : agent.steps())
    if (step.name == name) return step.channels;
  return 0;
}

// Processes of this test's agent program that joined.
std::vector<pid_t> joined_processes() {
  std::vector<pid_t> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto pid = base::parse_integer(entry.path().filename().string());
    if (!pid) continue;
    const std::string line = read(entry.path() / "cmdline");
    const bool ours = line.find(bundle().own().file.string()) == 0;
    if (ours && line.find("--join") != std::string::npos) found.push_back(static_cast<pid_t>(*pid));
  }
  return found;
}

void wait_until_none_is_left() {
  for (int i = 0; i < 500 && !joined_processes().empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK(joined_processes().empty());
}

}  // namespace

TEST_CASE("much content over a long way takes several channels, stage by stage", "[channels]") {
  const base::TemporaryFolder folder;
  ManyChannels transport(Further::join);
  const auto agent = dial(transport);
  for (const char* name : {"first", "second"}) {
    const fs::path source = folder.path() / name / "source";
    const fs::path site = folder.path() / name / "site";
    const sync::Composed composed = much(source, 1);
    agent->lock(lock_request(site));
    deploy(*agent, site, "r1", composed);
    CHECK(listing(source) == listing(site / "current/"));
    wait_until_none_is_left();
    CHECK(agent->exists("/"));
  }
  CHECK(transport.asked == 10);
  CHECK(channels_of(*agent, "stage") == 6);
  CHECK(channels_of(*agent, "seal") == 1);
  agent->close();
}

TEST_CASE("a small change to much content has one channel", "[channels]") {
  const base::TemporaryFolder folder;
  const fs::path site = folder.path() / "site";
  const fs::path source = folder.path() / "source";
  ManyChannels transport(Further::join);
  const auto agent = dial(transport);
  CHECK(agent->look({query(site)}).front().current.empty());
  agent->lock(lock_request(site));
  deploy(*agent, site, "r1", much(source, 5));
  CHECK(transport.asked == 5);
  CHECK(agent->look({query(site)}).front().current == "r1");
  write(source / "0/0", "changed");
  deploy(*agent, site, "r2", compose(source));
  CHECK(transport.asked == 5);
  CHECK(listing(source) == listing(site / "current/"));
}

TEST_CASE("channels that cannot be had are not missed", "[channels]") {
  for (const Further further : {Further::refused, Further::strangers, Further::silent, Further::noisy}) {
    const base::TemporaryFolder folder;
    ManyChannels transport(further);
    const sync::Composed composed = much(folder.path() / "source", 2);
    const auto agent = dial(transport);
    agent->lock(lock_request(folder.path() / "site"));
    deploy(*agent, folder.path() / "site", "r1", composed);
    CHECK(listing(folder.path() / "source") == listing(folder.path() / "site/current/"));
    CHECK(transport.asked == (further == Further::refused ? 1 : 5));
    CHECK(channels_of(*agent, "stage") == 1);
    agent->close();
  }
}

TEST_CASE("little content, or a near target, has one channel", "[channels]") {
  const base::TemporaryFolder folder;
  ManyChannels transport(Further::join);
  const auto agent = dial(transport);
  agent->lock(lock_request(folder.path() / "site"));
  write(folder.path() / "little/file", random_bytes(7'000'000, 1));
  deploy(*agent, folder.path() / "site", "r1", compose(folder.path() / "little"));
  CHECK(transport.asked == 0);
  const LocalAgent near;
  near->lock(lock_request(folder.path() / "near"));
  deploy(*near.endpoint, folder.path() / "near", "r1", much(folder.path() / "source", 3));
  CHECK(channels_of(*near.endpoint, "stage") == 1);
}
