// A connection that breaks when all has arrived and only the answer is due.

#include <sys/socket.h>

#include <thread>

#include "core/protocol/frame.h"
#include "core/protocol/messages.h"
#include "tests/unit/endpoint/fixture.h"

using namespace porter;
using namespace porter::tests;

namespace {

// A local agent that can no longer be heard once it is told that the stage has ended.
class DeafTransport : public transport::Transport {
 public:
  ~DeafTransport() override {
    for (std::thread& thread : threads_)
      thread.join();
  }

  transport::Process start(const std::vector<std::string>& arguments) override {
    agent_ = local_->start(arguments);
    base::FdPair ends = base::make_socket_pair();
    here_ = std::move(ends.second);
    threads_.emplace_back([this] { copy_what_is_said(); });
    threads_.emplace_back([this] { copy_what_is_heard(); });
    transport::Process process;
    process.errors = agent_.errors;
    process.ending = agent_.ending;
    process.stream = std::move(ends.first);
    return process;
  }
  void wait_for_agent() const { agent_.wait(base::Deadline::in(std::chrono::seconds(20))); }
  std::string describe() const override { return "deaf"; }
  transport::TrafficCount traffic() const override { return {}; }

 private:
  void copy_what_is_said() {
    protocol::FrameParser parser;
    copy(here_, agent_.stream, [&](std::string_view bytes) {
      parser.feed(bytes);
      while (const auto frame = parser.next()) {
        if (frame->type == static_cast<std::uint8_t>(protocol::Type::stage_end))
          ::shutdown(agent_.stream.get(), SHUT_RD);
      }
    });
  }
  void copy_what_is_heard() {
    copy(agent_.stream, here_, [](std::string_view) {});
  }

  template <class Look>
  static void copy(const base::UniqueFd& from, const base::UniqueFd& to, Look look) {
    std::vector<std::byte> buffer(65536);
    try {
      while (const std::size_t got = base::read_some(from.get(), buffer)) {
        const std::string_view bytes(reinterpret_cast<const char*>(buffer.data()), got);
        look(bytes);
        base::write_all(to.get(), bytes);
      }
    } catch (const base::Error&) {
      // That end is gone.
    }
    ::shutdown(to.get(), SHUT_WR);
  }

  std::unique_ptr<transport::Transport> local_ = transport::make_local_transport("laptop");
  transport::Process agent_;
  base::UniqueFd here_;
  std::vector<std::thread> threads_;
};

}  // namespace

TEST_CASE("a stage whose end nobody hears is kept for the next send", "[stage]") {
  const base::TemporaryFolder folder;
  const fs::path site = folder.path() / "site";
  const fs::path source = folder.path() / "source";
  for (int i = 0; i < 40; ++i)
    write(source / std::to_string(i), random_bytes(5000, static_cast<unsigned>(i)));
  {
    DeafTransport transport;
    endpoint::DialOptions options;
    options.start = endpoint::DialOptions::Start::child;
    const auto agent = endpoint::Endpoint::dial(transport, bundle(), options);
    agent->lock(lock_request(site));
    CHECK(code_of([&] { agent->stage(stage_request(site, "r1"), compose(source), {}); }) ==
          base::Code::unreachable);
    transport.wait_for_agent();
  }
  CHECK(fs::is_empty(site / ".porter/staging"));
  CHECK(fs::is_empty(site / "releases"));
  const LocalAgent again;
  again->lock(lock_request(site));
  const protocol::StageReport report = deploy(*again.endpoint, site, "r2", compose(source));
  CHECK(report.bytes_resumed == 40 * 5000);
  CHECK(listing(site / "releases/r2") == listing(source));
}
