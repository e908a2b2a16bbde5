// An agent that lies: whatever it says, the operator's side ends with an error in bounded time and memory.

#include <fcntl.h>
#include <sys/socket.h>

#include <functional>
#include <thread>

#include "core/endpoint/stage_sender.h"
#include "core/protocol/messages.h"
#include "core/sync/tree_codec.h"
#include "tests/unit/endpoint/fixture.h"

using namespace porter;
using namespace porter::tests;

namespace {

using Script = std::function<void(int fd)>;

// Runs the script as the far end of one process.
class LiarTransport : public transport::Transport {
 public:
  explicit LiarTransport(Script script) : script_(std::move(script)) {}
  ~LiarTransport() override {
    for (std::thread& thread : threads_)
      thread.join();
  }

  transport::Process start(const std::vector<std::string>&) override {
    base::FdPair ends = base::make_socket_pair();
    transport::Process process;
    process.errors = std::make_shared<transport::ErrorText>();
    process.ending = std::make_shared<transport::Ending>();
    process.stream = std::move(ends.first);
    threads_.emplace_back(
        [this, fd = std::make_shared<base::UniqueFd>(std::move(ends.second)), ending = process.ending] {
          try {
            script_(fd->get());
          } catch (const base::Error&) {
            // The operator's side hung up, as it should; told as an SSH stream tells it.
            ending->fail(base::Error(base::Code::remote, "given up before it ended"));
          }
          ending->finish({0, 0});
          fd->reset();
        });
    return process;
  }
  std::string describe() const override { return "liar"; }
  transport::TrafficCount traffic() const override { return {}; }

 private:
  Script script_;
  std::vector<std::thread> threads_;
};

void say(int fd, const std::string& bytes) {
  while (true) {
    const ssize_t put = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (put == static_cast<ssize_t>(bytes.size())) return;
    throw base::Error(base::Code::io, "gone");
  }
}

void greet(int fd) {
  protocol::HelloMessage hello;
  hello.hello.major = protocol::kMajor;
  hello.hello.machine = "x86_64";
  hello.hello.digest = bundle().own().digest;
  say(fd, std::string(protocol::kMagic) + protocol::to_frame(hello));
}

// Reads until a frame of that type came.
void hear(int fd, protocol::Type type) {
  static thread_local protocol::FrameParser parser;
  std::vector<std::byte> buffer(65536);
  for (;;) {
    while (const auto frame = parser.next())
      if (frame->type == static_cast<std::uint8_t>(type)) return;
    const std::size_t got = base::read_some(fd, buffer);
    if (got == 0) throw base::Error(base::Code::io, "gone");
    parser.feed({reinterpret_cast<const char*>(buffer.data()), got});
  }
}

base::Code dial_and(const Script& script, const std::function<void(endpoint::Endpoint&)>& use,
                    std::chrono::seconds idle = std::chrono::seconds(20)) {
  LiarTransport transport(script);
  endpoint::DialOptions options;
  options.start = endpoint::DialOptions::Start::child;
  options.dial_deadline = std::chrono::seconds(5);
  options.idle_deadline = idle;
  return code_of([&] {
    const auto agent = endpoint::Endpoint::dial(transport, bundle(), options);
    use(*agent);
  });
}

void nothing(endpoint::Endpoint&) {}

std::string piece_of_empty_tree() {
  sync::Tree tree;
  tree.folders.emplace_back();
  tree.seal_digests();
  return protocol::to_frame(protocol::BaseTree{{true, sync::encode_tree(tree, sync::Stamps::no)}});
}

}  // namespace

TEST_CASE("a greeting that is none is an error", "[hostile]") {
  CHECK(dial_and([](int fd) { say(fd, "hello there\n"); }, nothing) == base::Code::agent);
  CHECK(dial_and([](int fd) { say(fd, std::string(protocol::kMagic)); }, nothing) == base::Code::unreachable);
  CHECK(dial_and([](int fd) { say(fd, std::string(protocol::kMagic) + "junk junk junk"); }, nothing) ==
        base::Code::protocol);
  CHECK(
      dial_and([](int fd) { say(fd, std::string(protocol::kMagic) + protocol::to_frame(protocol::Done{})); },
               nothing) == base::Code::protocol);
  CHECK(dial_and(
            [](int fd) {
              for (;;)
                say(fd, std::string(4096, 'x'));
            },
            nothing) == base::Code::agent);
}

TEST_CASE("an agent of another version or build is refused", "[hostile]") {
  protocol::HelloMessage hello;
  hello.hello.major = protocol::kMajor + 1;
  CHECK(dial_and([&](int fd) { say(fd, std::string(protocol::kMagic) + protocol::to_frame(hello)); },
                 nothing) == base::Code::agent);
  hello.hello.major = protocol::kMajor;
  CHECK(dial_and([&](int fd) { say(fd, std::string(protocol::kMagic) + protocol::to_frame(hello)); },
                 nothing) == base::Code::agent);
}

TEST_CASE("an answer that comes before its agent is known is not believed", "[hostile]") {
  protocol::HelloMessage hello;
  hello.hello.major = protocol::kMajor;
  const std::string magic(protocol::kMagic);
  const std::string looked = protocol::to_frame(protocol::Looked{});
  CHECK(dial_and([&](int fd) { say(fd, magic + looked); }, nothing) == base::Code::protocol);
  CHECK(dial_and([&](int fd) { say(fd, magic + protocol::to_frame(hello) + looked); }, nothing) ==
        base::Code::agent);
}

TEST_CASE("silence ends at the deadline", "[hostile]") {
  const auto wait_for_end = [](int fd) {
    greet(fd);
    std::vector<std::byte> buffer(4096);
    while (base::read_some(fd, buffer) > 0) {
    }
  };
  CHECK(dial_and(
            wait_for_end, [](endpoint::Endpoint& agent) { agent.exists("/"); }, std::chrono::seconds(1)) ==
        base::Code::timeout);
}

TEST_CASE("silence in the middle of a stage ends at the deadline", "[hostile]") {
  const base::TemporaryFolder folder;
  write(folder.path() / "a", "1");
  const sync::Composed composed = compose(folder.path());
  CHECK(dial_and(
            [](int fd) {
              greet(fd);
              hear(fd, protocol::Type::folder_digests);
              say(fd, piece_of_empty_tree());
              hear(fd, protocol::Type::goodbye);
            },
            [&](endpoint::Endpoint& agent) { agent.stage(stage_request("/srv/x", "r1"), composed, {}); },
            std::chrono::seconds(1)) == base::Code::timeout);
}

TEST_CASE("an agent that lets bytes trickle is as silent as one that says nothing", "[hostile]") {
  const auto trickle = [](int fd) {
    greet(fd);
    hear(fd, protocol::Type::stat);
    const std::string answer = protocol::encode_frame(194, std::string(4000, 'x'));
    for (const char byte : answer) {
      say(fd, std::string(1, byte));
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  };
  const auto began = std::chrono::steady_clock::now();
  CHECK(dial_and(
            trickle, [](endpoint::Endpoint& agent) { agent.exists("/"); }, std::chrono::seconds(1)) ==
        base::Code::timeout);
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(20));
}

TEST_CASE("answers of the wrong type, size or content are errors, and the endpoint is dead then",
          "[hostile]") {
  const std::vector<std::string> answers = {
      protocol::to_frame(protocol::Done{}),
      protocol::encode_frame(194, std::string(100, '\xff')),
      std::string("\xff\xff\xff\x7f\xc2", 5),
      protocol::encode_frame(77, ""),
      protocol::to_frame(protocol::FileData{{false, std::string(2000, 'x')}}),
  };
  for (const std::string& answer : answers) {
    const base::Code code = dial_and(
        [&](int fd) {
          greet(fd);
          hear(fd, protocol::Type::read_file);
          say(fd, answer);
          hear(fd, protocol::Type::goodbye);
        },
        [](endpoint::Endpoint& agent) {
          CHECK(code_of([&] { agent.read_file("/x", 1000); }) == base::Code::protocol);
          agent.exists("/");
        });
    CHECK(code == base::Code::unreachable);
  }
}

TEST_CASE("an endless answer is cut at what was asked for", "[hostile]") {
  CHECK(dial_and(
            [](int fd) {
              greet(fd);
              hear(fd, protocol::Type::read_file);
              for (;;)
                say(fd, protocol::to_frame(protocol::FileData{{false, std::string(4096, 'x')}}));
            },
            [](endpoint::Endpoint& agent) { agent.read_file("/x", 100000); }) == base::Code::protocol);
}

TEST_CASE("a stage with a lying agent ends in an error", "[hostile]") {
  const base::TemporaryFolder folder;
  write(folder.path() / "a", "1");
  write(folder.path() / "large", random_bytes(1U << 20U, 5));
  const sync::Composed composed = compose(folder.path());
  const std::vector<std::string> lies = {
      protocol::to_frame(protocol::Missing{true, {99}}),
      protocol::to_frame(protocol::SignaturePiece{1, 1000, {true, "x"}}),
      protocol::to_frame(protocol::SignaturePiece{0, protocol::SignaturePiece::kNoBasis, {true, ""}}),
      protocol::to_frame(protocol::Done{}),
      protocol::encode_frame(163, "short"),
  };
  for (const std::string& lie : lies) {
    const base::Code code = dial_and(
        [&](int fd) {
          greet(fd);
          hear(fd, protocol::Type::folder_digests);
          say(fd, piece_of_empty_tree());
          hear(fd, protocol::Type::stage_end);
          say(fd, lie);
          hear(fd, protocol::Type::goodbye);
        },
        [&](endpoint::Endpoint& agent) { agent.stage(stage_request("/srv/x", "r1"), composed, {}); });
    CHECK(code == base::Code::protocol);
  }
}

TEST_CASE("an agent that lies about its old version of a large file is found out", "[hostile]") {
  using protocol::BlockTablePiece;
  using protocol::SignaturePiece;
  const base::TemporaryFolder folder;
  write(folder.path() / "old/large", random_bytes(200U << 10U, 5));
  write(folder.path() / "new/large", random_bytes(300U << 10U, 6));
  const sync::Composed composed = compose(folder.path() / "new");
  const std::string base = sync::encode_tree(compose(folder.path() / "old").tree, sync::Stamps::no);
  const std::uint64_t size = 200U << 10U;
  const auto table = [&](std::uint64_t of, std::size_t bytes, bool last = true) {
    return protocol::to_frame(BlockTablePiece{0, of, {last, std::string(bytes, 'x')}});
  };
  const auto signature = [&](std::uint64_t of) {
    return protocol::to_frame(SignaturePiece{0, of, {true, std::string(12, 'x')}});
  };
  // A good one, of another file.
  std::string other;
  const base::UniqueFd file(::open((folder.path() / "new/large").c_str(), O_RDONLY | O_CLOEXEC));
  sync::SignatureJob({file.get(), 1000}).run([&](std::string_view bytes) { other += bytes; });
  const std::vector<std::vector<std::string>> lies = {
      {table(size, 80), protocol::to_frame(SignaturePiece{0, 1000, {true, other}})},
      {table(size, 79)},
      {table(size, 81)},
      {table(size, 80, false), table(size, 1)},
      {table(std::uint64_t{1} << 50U, 1)},
      {table(size, 80), table(size, 80)},
      {table(size, 80), signature(size - 1)},
      {table(size, 80), signature(size)},  // of the right size, and junk
      {signature(size)},
      {protocol::to_frame(BlockTablePiece{1, size, {true, ""}})},
  };
  for (std::size_t i = 0; i < lies.size(); ++i) {
    CAPTURE(i);
    const base::Code code = dial_and(
        [&](int fd) {
          greet(fd);
          hear(fd, protocol::Type::folder_digests);
          say(fd, protocol::to_frame(protocol::BaseTree{{true, base}}));
          hear(fd, protocol::Type::files_to_come);
          for (const std::string& lie : lies[i])
            say(fd, lie);
          hear(fd, protocol::Type::goodbye);
        },
        [&](endpoint::Endpoint& agent) { agent.stage(stage_request("/srv/x", "r1"), composed, {}); });
    CHECK(code == base::Code::protocol);
  }
}

TEST_CASE("a base tree that makes no sense is an error", "[hostile]") {
  const base::TemporaryFolder folder;
  write(folder.path() / "a", "1");
  const sync::Composed composed = compose(folder.path());
  for (const std::string& tree : {std::string("junk"), std::string(), std::string(300000, '\xff')}) {
    CHECK(dial_and(
              [&](int fd) {
                greet(fd);
                hear(fd, protocol::Type::folder_digests);
                say(fd, protocol::to_frame(protocol::BaseTree{{true, tree}}));
                hear(fd, protocol::Type::goodbye);
              },
              [&](endpoint::Endpoint& agent) { agent.stage(stage_request("/srv/x", "r1"), composed, {}); }) ==
          base::Code::protocol);
  }
}

TEST_CASE("an agent that asks for everything again and again is stopped", "[hostile]") {
  const base::TemporaryFolder folder;
  write(folder.path() / "a", "1");
  const sync::Composed composed = compose(folder.path());
  CHECK(dial_and(
            [&](int fd) {
              greet(fd);
              hear(fd, protocol::Type::folder_digests);
              say(fd, piece_of_empty_tree());
              for (;;) {
                hear(fd, protocol::Type::stage_end);
                say(fd, protocol::to_frame(protocol::Missing{true, {0}}));
              }
            },
            [&](endpoint::Endpoint& agent) { agent.stage(stage_request("/srv/x", "r1"), composed, {}); },
            std::chrono::seconds(2)) == base::Code::protocol);
}
