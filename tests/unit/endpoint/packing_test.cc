// That what travels is packed where the line is slow and the other end can unpack, and nowhere else.

#include <set>
#include <thread>

#include "core/protocol/messages.h"
#include "core/protocol/unpacker.h"
#include "tests/unit/endpoint/far_transport.h"
#include "tests/unit/endpoint/fixture.h"

using namespace porter;
using namespace porter::tests;

namespace {

// An agent of another make, which says what it is told to and writes down what types of frames it hears.
class OldAgent : public transport::Transport {
 public:
  explicit OldAgent(std::vector<std::string> features) : features_(std::move(features)) {}
  ~OldAgent() override {
    if (thread_.joinable()) thread_.join();
  }

  transport::Process start(const std::vector<std::string>&) override {
    base::FdPair ends = base::make_socket_pair();
    transport::Process process;
    process.errors = std::make_shared<transport::ErrorText>();
    process.ending = std::make_shared<transport::Ending>();
    process.line = std::make_shared<LongLine>();
    process.stream = std::move(ends.first);
    thread_ = std::thread(
        [this, fd = std::make_shared<base::UniqueFd>(std::move(ends.second)), ending = process.ending] {
          listen(fd->get());
          ending->finish({0, 0});
        });
    return process;
  }
  std::string describe() const override { return "old"; }
  transport::TrafficCount traffic() const override { return {}; }

  // All there was; the endpoint has gone.
  std::set<int> heard() {
    thread_.join();
    return heard_;
  }

 private:
  void listen(int fd) {
    protocol::HelloMessage hello;
    hello.hello.major = protocol::kMajor;
    hello.hello.machine = "x86_64";
    hello.hello.digest = bundle().own().digest;
    hello.hello.features = features_;
    base::write_all(fd, std::string(protocol::kMagic) + protocol::to_frame(hello));
    protocol::FrameParser parser;
    std::vector<std::byte> buffer(65536);
    while (const std::size_t got = base::read_some(fd, buffer)) {
      parser.feed({reinterpret_cast<const char*>(buffer.data()), got});
      while (const auto frame = parser.next()) {
        heard_.insert(frame->type);
        const bool last = frame->type == static_cast<int>(protocol::Type::write_data) ||
                          frame->type == protocol::kPackedType;
        if (last) base::write_all(fd, protocol::to_frame(protocol::Done{}));
      }
    }
  }

  std::vector<std::string> features_;
  std::set<int> heard_;
  std::thread thread_;
};

std::string much_text() {
  std::string text;
  for (int i = 0; text.size() < 200'000; ++i)
    text += "line " + std::to_string(i * 7 % 1000) + " says much the same\n";
  return text;
}

// The types of frames that the real agent answers with.
std::set<int> types_of_answer(const std::vector<std::string>& features, const fs::path& file) {
  const auto local = transport::make_local_transport("laptop");
  transport::Process process = local->start({bundle().own().file.string(), "--serve"});
  protocol::Welcome welcome;
  welcome.features = features;
  base::write_all(process.stream.get(), protocol::to_frame(welcome) +
                                            protocol::to_frame(protocol::ReadFile{file.string(), 1U << 20U}) +
                                            protocol::to_frame(protocol::Goodbye{}));
  protocol::MagicFinder finder;
  REQUIRE(finder.feed(base::read_to_end(process.stream.get(), 1U << 20U)));
  protocol::FrameParser parser;
  parser.feed(finder.rest());
  std::set<int> types;
  while (const auto frame = parser.next())
    types.insert(frame->type);
  return types;
}

}  // namespace

TEST_CASE("over a long way a tree travels packed, and arrives as it is", "[packing]") {
  const base::TemporaryFolder folder;
  const fs::path source = folder.path() / "source";
  for (int i = 0; i < 300; ++i)
    write(source / std::to_string(i % 9) / std::to_string(i), much_text().substr(0, 3000 + 37 * i));
  write(source / "large", much_text() + much_text());
  write(source / "noise", random_bytes(500'000, 1));
  const sync::Composed composed = compose(source);
  std::uint64_t plain = 0;
  for (const bool far : {false, true}) {
    const fs::path site = folder.path() / (far ? "far" : "near");
    FarTransport transport;
    endpoint::DialOptions options;
    options.start = endpoint::DialOptions::Start::child;
    const LocalAgent near;
    const auto far_away = endpoint::Endpoint::dial(transport, bundle(), options);
    endpoint::Endpoint& agent = far ? *far_away : *near.endpoint;
    agent.lock(lock_request(site));
    const protocol::StageReport report = deploy(agent, site, "r1", composed);
    CHECK(listing(source) == listing(site / "current/"));
    if (!far) plain = report.wire_out;
    CHECK(plain > 2'500'000);
    if (far) CHECK(report.wire_out < 900'000);
  }
}

TEST_CASE("an agent that cannot unpack is sent nothing packed", "[packing]") {
  for (const bool able : {true, false}) {
    OldAgent old(able ? std::vector<std::string>{std::string(protocol::kPacking)}
                      : std::vector<std::string>{"other"});
    endpoint::DialOptions options;
    options.start = endpoint::DialOptions::Start::child;
    endpoint::Endpoint::dial(old, bundle(), options)->write_file("/x", much_text(), 0644);
    const std::set<int> heard = old.heard();
    CHECK(heard.contains(protocol::kPackedType) == able);
    CHECK(heard.contains(static_cast<int>(protocol::Type::write_data)) != able);
  }
}

TEST_CASE("an agent packs for who can unpack, and for nobody else", "[packing]") {
  const base::TemporaryFolder folder;
  write(folder.path() / "file", much_text());
  CHECK(types_of_answer({}, folder.path() / "file") == std::set<int>{128, 194});
  CHECK(types_of_answer({"zstd"}, folder.path() / "file").contains(protocol::kPackedType));
}
