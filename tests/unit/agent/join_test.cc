// How a second process brings its channel to the agent, and what the agent hears over several.

#include "core/agent/join.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <random>
#include <thread>

#include "core/agent/server_channels.h"
#include "core/base/digest.h"
#include "core/base/error.h"
#include "core/protocol/frame.h"
#include "tests/support/catch.h"
#include "tests/support/error_of.h"

using namespace porter;
using agent::Channels;

namespace {

std::string token_of(const std::string& test) {
  return base::to_hex(base::sha256(test + std::to_string(::getpid()))).substr(0, 32);
}

bool readable_within(int fd, int milliseconds) {
  pollfd wait{fd, POLLIN, 0};
  return ::poll(&wait, 1, milliseconds) > 0;
}

// A process that joins, as a thread: the far end of its channel, what it says, and how it ended.
struct Joining {
  explicit Joining(const std::string& token) {
    thread = std::thread([this, token] { status = agent::join(token, in.second.get(), out.second.get()); });
  }
  ~Joining() {
    if (thread.joinable()) thread.join();
  }
  Joining(const Joining&) = delete;
  Joining& operator=(const Joining&) = delete;

  int end() {
    thread.join();
    return status;
  }
  bool said_joined() {
    std::string said(protocol::kJoined.size(), ' ');
    return readable_within(out.first.get(), 5000) &&
           ::recv(out.first.get(), said.data(), said.size(), MSG_WAITALL) ==
               static_cast<ssize_t>(said.size()) &&
           said == protocol::kJoined;
  }

  base::FdPair in = base::make_socket_pair();
  base::FdPair out = base::make_socket_pair();
  std::thread thread;
  int status = -1;
};

// The agent's end, on the test's thread.
struct Hearing {
  base::FdPair first = base::make_socket_pair();
  base::FdPair stop = base::make_pipe();
  Channels channels{first.second.get()};
  std::string heard;
  bool over = false;

  void hear(int timeout = 5000) {
    const Channels::Heard some = channels.hear(stop.first.get(), timeout);
    heard += some.bytes;
    over = some.over;
  }
  // Until so much has come.
  void hear_all(std::size_t size) {
    while (heard.size() < size && !over)
      hear();
  }
  // Until it is in: a knock and the descriptor.
  void take_in(Joining& joining) {
    while (!readable_within(joining.out.first.get(), 0))
      hear(100);
    REQUIRE(joining.said_joined());
  }
};

std::string stripe(std::uint64_t number, std::string_view bytes) {
  return protocol::stripe_header(bytes.size(), number) + std::string(bytes);
}

}  // namespace

TEST_CASE("a process hands its channel over, and ends when it is let go", "[join]") {
  const std::string token = token_of("hands over");
  Hearing agent;
  CHECK(agent.channels.begin_stripes(token, "").empty());
  Joining joining(token);
  agent.take_in(joining);
  base::write_all(joining.in.first.get(), stripe(1, "world"));
  agent.hear(200);
  CHECK(agent.heard.empty());
  base::write_all(agent.first.first.get(), stripe(0, "hello "));
  agent.hear_all(11);
  CHECK(agent.heard == "hello world");
  base::write_all(agent.first.first.get(), protocol::stripe_header(0, 2) + "frames");
  agent.hear_all(17);
  CHECK(agent.heard == "hello worldframes");
  CHECK(joining.end() == 0);
  base::write_all(agent.first.first.get(), "more");
  agent.hear_all(21);
  CHECK(agent.heard == "hello worldframesmore");
}

TEST_CASE("who has another token, or comes when it is over, is not let in", "[join]") {
  const std::string token = token_of("another token");
  Hearing agent;
  agent.channels.begin_stripes(token, "");
  Joining stranger(token_of("no such token"));
  CHECK(stranger.end() != 0);
  CHECK_FALSE(readable_within(stranger.out.first.get(), 0));
  base::write_all(agent.first.first.get(), protocol::stripe_header(0, 0));
  agent.hear();
  Joining late(token);
  CHECK(late.end() != 0);
}

TEST_CASE("a process whose channel has ended does not wait for the agent", "[join]") {
  Joining joining(token_of("gone"));
  joining.in.first.reset();
  const auto began = std::chrono::steady_clock::now();
  CHECK(joining.end() != 0);
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(2));
}

TEST_CASE("nobody has to join", "[join]") {
  Hearing agent;
  CHECK(agent.channels.begin_stripes(token_of("nobody"), stripe(0, "a") + stripe(1, "b").substr(0, 3)) ==
        "a");
  base::write_all(agent.first.first.get(), stripe(1, "b").substr(3) + protocol::stripe_header(0, 2) + "c");
  agent.hear_all(2);
  CHECK(agent.heard == "bc");
}

TEST_CASE("a token that is taken already costs nothing but the channels", "[join]") {
  const std::string token = token_of("taken");
  const agent::JoinDoor taken(token);
  Hearing agent;
  CHECK(agent.channels.begin_stripes(token, stripe(0, "a")) == "a");
}

TEST_CASE("a visitor without a descriptor is not welcome", "[join]") {
  const base::FdPair ends = base::make_socket_pair();
  base::write_all(ends.first.get(), "h");
  CHECK_FALSE(agent::take_descriptor(ends.second.get()));
}

TEST_CASE("a channel that ends before all that was given to it has come is an error", "[join]") {
  const std::string token = token_of("ends");
  for (const bool within : {true, false}) {
    Joining joining(token);
    Hearing agent;  // goes first, and lets the other one go
    agent.channels.begin_stripes(token, "");
    agent.take_in(joining);
    base::write_all(agent.first.first.get(), stripe(1, "later"));
    if (within) base::write_all(joining.in.first.get(), stripe(0, "now").substr(0, 14));
    joining.in.first.reset();
    const base::Error error = tests::error_of([&] {
      while (!agent.over)
        agent.hear();
    });
    CHECK(error.code() == base::Code::protocol);
    CHECK(error.message().find(within ? "within a stripe" : "before the stripes") != std::string::npos);
  }
}

TEST_CASE("a channel whose stripe is not due is not read on", "[join]") {
  const std::string token = token_of("not due");
  Joining joining(token);
  Hearing agent;
  agent.channels.begin_stripes(token, "");
  agent.take_in(joining);
  std::string stream;
  for (std::uint64_t number = 1; number <= 40; ++number)
    stream += stripe(number, std::string(protocol::kMaxStripe, 'x'));
  base::set_nonblocking(joining.in.first.get());
  std::size_t taken = 0;
  const auto send_and_hear = [&] {
    const ssize_t put =
        ::send(joining.in.first.get(), stream.data() + taken, stream.size() - taken, MSG_NOSIGNAL);
    if (put > 0) taken += static_cast<std::size_t>(put);
    agent.hear(0);
  };
  for (int i = 0; i < 100; ++i)
    send_and_hear();
  CHECK(taken < 2U << 20U);
  CHECK(agent.heard.empty());
  base::write_all(agent.first.first.get(), stripe(0, "first"));
  while (agent.heard.size() < 5 + 40 * protocol::kMaxStripe)
    send_and_hear();
  CHECK(taken == stream.size());
}

TEST_CASE("much comes in order over many channels", "[join]") {
  const std::string token = token_of("much");
  Hearing agent;
  agent.channels.begin_stripes(token, "");
  std::vector<std::unique_ptr<Joining>> joined;
  while (joined.size() + 1 < protocol::kMostChannels) {
    joined.push_back(std::make_unique<Joining>(token));
    agent.take_in(*joined.back());
  }
  Joining one_too_many(token);
  std::vector<int> ends = {agent.first.first.get()};
  for (const auto& each : joined)
    ends.push_back(each->in.first.get());
  std::mt19937 random(1);
  std::vector<std::string> streams(ends.size());
  std::string all;
  for (std::uint64_t number = 0; number < 400; ++number) {
    const std::string bytes(1 + random() % 50'000, static_cast<char>('a' + number % 26));
    all += bytes;
    streams[random() % streams.size()] += stripe(number, bytes);
  }
  std::vector<std::thread> writers;
  for (std::size_t i = 0; i < ends.size(); ++i)
    writers.emplace_back([&, i] { base::write_all(ends[i], streams[i]); });
  agent.hear_all(all.size());
  for (std::thread& each : writers)
    each.join();
  CHECK(agent.heard == all);
  base::write_all(agent.first.first.get(), protocol::stripe_header(0, 400));
  agent.hear();
  for (const auto& each : joined)
    CHECK(each->end() == 0);
  CHECK(one_too_many.end() != 0);
}
