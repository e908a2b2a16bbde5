#include "core/transport/ssh_transport.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <mutex>
#include <thread>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/subprocess.h"
#include "core/transport/known_hosts.h"
#include "core/transport/local_transport.h"
#include "tests/support/catch.h"
#include "tests/support/throwaway_sshd.h"

using namespace porter;
using namespace porter::transport;
using namespace std::chrono_literals;
using base::Code;
using base::Error;
using porter::tests::ThrowawaySshd;

namespace {

base::Deadline soon() {
  return base::Deadline::in(60s);
}

SshTarget target_of(const ThrowawaySshd& sshd) {
  SshTarget target;
  target.name = "testing";
  target.address = "127.0.0.1";
  target.port = sshd.port();
  target.user = sshd.user();
  target.identities = {sshd.identity()};
  return target;
}

// Nothing of the machine the test runs on: no home, no agent, no configuration.
SshPolicy policy_of(const ThrowawaySshd& sshd) {
  SshPolicy policy;
  policy.known_hosts = {sshd.known_hosts()};
  policy.local_user = sshd.user();
  return policy;
}

std::unique_ptr<Transport> connect(SshLoops& loops, const SshTarget& target, const SshPolicy& policy) {
  NoPrompter nobody;
  return connect_ssh(loops, target, policy, nobody, soon(), {});
}

// The error of work(); fails the test when there is none.
template <class Work>
Error error_of(Work&& work) {
  try {
    work();
  } catch (const Error& error) {
    return error;
  }
  FAIL("no error");
  return {Code::internal, ""};
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string big_text(std::size_t size) {
  std::string text;
  text.reserve(size + 24);
  for (std::uint64_t i = 0; text.size() < size; ++i)
    text += std::to_string(i * 2654435761U) + "\n";
  text.resize(size);
  return text;
}

std::string talk(Process& process, std::string_view text) {
  base::write_all(process.stream.get(), text);
  ::shutdown(process.stream.get(), SHUT_WR);
  return base::read_to_end(process.stream.get(), text.size() + 1000);
}

void run(const std::vector<std::string>& arguments,
         const std::map<std::string, std::string>& environment = {}) {
  base::Command command;
  command.arguments = arguments;
  command.set_environment = environment;
  const auto result = base::run_command(command, soon(), {});
  INFO(result.errors);
  REQUIRE(result.ok());
}

// Listens and never says a word.
class SilentServer {
 public:
  SilentServer() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    REQUIRE(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
    REQUIRE(::listen(fd_.get(), 5) == 0);
    REQUIRE(::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
    port_ = ntohs(address.sin_port);
  }
  int port() const { return port_; }
  void close() { fd_.reset(); }

 private:
  base::UniqueFd fd_;
  int port_ = 0;
};

class Answers : public Prompter {
 public:
  explicit Answers(std::deque<std::string> answers) : answers_(std::move(answers)) {}
  std::optional<base::Secret> ask(Question kind, const std::string& text) override {
    asked.push_back(text);
    kinds.push_back(kind);
    if (answers_.empty()) return std::nullopt;
    base::Secret answer(answers_.front());
    answers_.pop_front();
    return answer;
  }
  std::vector<std::string> asked;
  std::vector<Question> kinds;

 private:
  std::deque<std::string> answers_;
};

}  // namespace

TEST_CASE("a program over SSH echoes, sees the end of its input and ends", "[ssh]") {
  PORTER_NEEDS_SSHD();
  const ThrowawaySshd sshd;
  SshLoops loops(1);
  const auto transport = connect(loops, target_of(sshd), policy_of(sshd));
  CHECK(transport->describe() == fmt::format("testing ({}@127.0.0.1:{})", sshd.user(), sshd.port()));
  Process cat = transport->start({"cat"});
  CHECK(talk(cat, "hello") == "hello");
  CHECK(cat.wait(soon()).ok());
  CHECK(transport->traffic().bytes_in > 1000);
  CHECK(transport->traffic().bytes_out > 1000);
}

TEST_CASE("arguments reach the far program as they are", "[ssh]") {
  PORTER_NEEDS_SSHD();
  const ThrowawaySshd sshd;
  SshLoops loops(1);
  const auto transport = connect(loops, target_of(sshd), policy_of(sshd));
  Process process = transport->start({"printf", "%s|", "a b", "c'd", "$HOME", "x\ny", "", "-e;id", "*"});
  CHECK(talk(process, "") == "a b|c'd|$HOME|x\ny||-e;id|*|");
}

TEST_CASE("exit codes, signals and stderr come back over SSH", "[ssh]") {
  PORTER_NEEDS_SSHD();
  const ThrowawaySshd sshd;
  SshLoops loops(1);
  const auto transport = connect(loops, target_of(sshd), policy_of(sshd));
  Process three = transport->start({"sh", "-c", "echo oh\\\\033 >&2; exit 3"});
  CHECK(three.wait(soon()).status == 3);
  CHECK(holds(three.errors->get(), "oh"));
  Process killed = transport->start({"sh", "-c", "exec sh -c 'kill -9 $$'"});
  const ExitStatus status = killed.wait(soon());
  CHECK((status.signal == SIGKILL || status.status == 128 + SIGKILL));  // the login shell may stay in between
  Process missing = transport->start({"/nonexistent/program"});
  CHECK(missing.wait(soon()).status == 127);
  Process loud = transport->start({"sh", "-c", "head -c 3000000 /dev/zero >&2; echo last >&2"});
  CHECK(loud.wait(soon()).ok());
  CHECK(loud.errors->get().ends_with("last\n"));
}

TEST_CASE("programs one after the other need no more than one session at a time", "[ssh]") {
  PORTER_NEEDS_SSHD();
  const ThrowawaySshd sshd({{"MaxSessions 1"}});
  SshLoops loops(1);
  const auto transport = connect(loops, target_of(sshd), policy_of(sshd));
  for (int i = 0; i < 40; ++i) {
    Process process = transport->start({"echo", "hello"});
    CHECK(base::read_to_end(process.stream.get(), 100) == "hello\n");  // and its end is not waited for
  }
}

TEST_CASE("a session that stays in use is not waited for", "[ssh]") {
  PORTER_NEEDS_SSHD();
  const ThrowawaySshd sshd({{"MaxSessions 1"}});
  SshLoops loops(1);
  const auto transport = connect(loops, target_of(sshd), policy_of(sshd));
  const Process cat = transport->start({"cat"});
  const Process second = transport->start({"echo", "hello"});
  const Error error = error_of([&] { second.wait(soon()); });
  CHECK(error.code() == Code::unreachable);
  CHECK(holds(error.message(), "no new session"));
}

TEST_CASE("much data passes SSH in both directions at once, on several streams", "[ssh]") {
  PORTER_NEEDS_SSHD();
  const ThrowawaySshd sshd;
  SshLoops loops(1);
  const auto transport = connect(loops, target_of(sshd), policy_of(sshd));
  const std::string text = big_text(24U << 20U);
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      Process cat = transport->start({"cat"});
      std::thread writer([&] {
        base::write_all(cat.stream.get(), text);
        ::shutdown(cat.stream.get(), SHUT_WR);
      });
      const std::string back = base::read_to_end(cat.stream.get(), text.size());
      writer.join();
      if (back == text && cat.wait(soon()).ok()) ++good;
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  CHECK(good == 3);
}

TEST_CASE("a connection tells how long its way is and what is stuck on it", "[ssh]") {
  PORTER_NEEDS_SSHD();
  ThrowawaySshd sshd;
  SshLoops loops(1);
  auto transport = connect(loops, target_of(sshd), policy_of(sshd));
  Process cat = transport->start({"cat"});
  base::write_all(cat.stream.get(), "x");
  std::array<std::byte, 1> back;
  REQUIRE(base::read_some(cat.stream.get(), back) == 1);
  const LineState quiet = cat.line_state();
  CHECK(quiet.round_trip > 0us);
  CHECK(quiet.round_trip < 10s);
  // Nobody takes anything any more: what fits into the far end's buffers is confirmed, the rest is not.
  sshd.freeze();
  base::set_nonblocking(cat.stream.get());
  const std::string block(65536, 'x');
  const auto deadline = soon();
  while (cat.line_state().unacknowledged < 200'000 && !deadline.passed()) {
    if (::send(cat.stream.get(), block.data(), block.size(), MSG_NOSIGNAL) < 0) std::this_thread::yield();
  }
  CHECK(cat.line_state().unacknowledged >= 200'000);
  sshd.thaw();
  transport.reset();
  CHECK(cat.line_state().unacknowledged == 0);
  const auto local = make_local_transport("x");
  CHECK(local->start({"true"}).line_state().round_trip == 0us);
}

TEST_CASE("a program that does not read stops its writer instead of filling memory", "[ssh]") {
  PORTER_NEEDS_SSHD();
  const ThrowawaySshd sshd;
  SshLoops loops(1);
  const auto transport = connect(loops, target_of(sshd), policy_of(sshd));
  Process deaf = transport->start({"sh", "-c", "sleep 20"});
  Process cat = transport->start({"cat"});
  base::set_nonblocking(deaf.stream.get());
  const std::string block(65536, 'x');
  std::size_t written = 0;
  // Until nothing moves for a while: all buffers on the way are full.
  for (auto last = std::chrono::steady_clock::now(); std::chrono::steady_clock::now() - last < 500ms;) {
    const ssize_t put = ::send(deaf.stream.get(), block.data(), block.size(), MSG_NOSIGNAL);
    if (put > 0) written += static_cast<std::size_t>(put);
    if (put > 0) last = std::chrono::steady_clock::now();
    if (written >= (16U << 20U)) break;
  }
  CHECK(written < (16U << 20U));
  CHECK(talk(cat, "still here") == "still here");
}

TEST_CASE("a reader that does not read stops its program, and others go on", "[ssh]") {
  PORTER_NEEDS_SSHD();
  const ThrowawaySshd sshd;
  SshLoops loops(1);
  const auto transport = connect(loops, target_of(sshd), policy_of(sshd));
  Process flood = transport->start({"head", "-c", "20000000", "/dev/zero"});
  Process cat = transport->start({"cat"});
  const std::string text = big_text(4U << 20U);
  std::thread writer([&] {
    base::write_all(cat.stream.get(), text);
    ::shutdown(cat.stream.get(), SHUT_WR);
  });
  CHECK((base::read_to_end(cat.stream.get(), text.size()) == text));
  writer.join();
  CHECK(transport->traffic().bytes_in < (12U << 20U));
  CHECK(base::read_to_end(flood.stream.get(), 30'000'000).size() == 20'000'000);
  CHECK(flood.wait(soon()).ok());
}

TEST_CASE("each direction of a stream ends by itself", "[ssh]") {
  PORTER_NEEDS_SSHD();
  const ThrowawaySshd sshd;
  SshLoops loops(1);
  const auto transport = connect(loops, target_of(sshd), policy_of(sshd));
  Process counts = transport->start({"sh", "-c", "n=$(wc -c); echo $n; exit 7"});
  base::write_all(counts.stream.get(), std::string(100000, 'x'));
  ::shutdown(counts.stream.get(), SHUT_WR);
  CHECK(base::read_to_end(counts.stream.get(), 100) == "100000\n");
  CHECK(counts.wait(soon()).status == 7);
}

TEST_CASE("closing the stream gives the far program the end of its input", "[ssh]") {
  PORTER_NEEDS_SSHD();
  const ThrowawaySshd sshd;
  SshLoops loops(1);
  const auto transport = connect(loops, target_of(sshd), policy_of(sshd));
  const auto pipe = sshd.folder() / "pipe";
  run({"mkfifo", pipe.string()});
  const base::UniqueFd watch(::open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  {
    Process cat =
        transport->start({"sh", "-c", fmt::format("exec 3>{}; echo up; cat; exec 3>&-", pipe.string())});
    std::array<std::byte, 16> buffer;
    CHECK(base::read_some(cat.stream.get(), buffer) == 3);
  }
  base::wait_readable(watch.get(), soon(), {});  // the end of the pipe: its only writer has gone
  CHECK(base::read_to_end(watch.get(), 10).empty());
}

TEST_CASE("an unknown host key is refused with its fingerprint and what to type", "[ssh]") {
  PORTER_NEEDS_SSHD();
  const ThrowawaySshd sshd;
  base::write_file(sshd.known_hosts(), "");
  SshLoops loops(1);
  const Error error = error_of([&] { connect(loops, target_of(sshd), policy_of(sshd)); });
  CHECK(error.code() == Code::host_key);
  CHECK(holds(error.message(), "testing ("));
  CHECK(holds(error.message(), "ssh-ed25519 SHA256:"));
  CHECK(holds(error.hint_text(), "porter-admin hosts trust testing"));
}

TEST_CASE("a changed or revoked host key is refused loudly", "[ssh]") {
  PORTER_NEEDS_SSHD();
  const ThrowawaySshd sshd;
  const std::string line = base::read_file(sshd.known_hosts());
  const std::string user_key = base::read_file(sshd.identity().string() + ".pub");
  base::write_file(sshd.known_hosts(), fmt::format("[127.0.0.1]:{} {}", sshd.port(), user_key));
  SshLoops loops(1);
  const Error changed = error_of([&] { connect(loops, target_of(sshd), policy_of(sshd)); });
  CHECK(changed.code() == Code::host_key);
  CHECK(holds(changed.message(), "HAS CHANGED"));
  CHECK(holds(changed.message().substr(changed.message().find("SHA256:") + 1), "SHA256:"));
  CHECK(holds(changed.hint_text(), "ssh-keygen -R"));

  base::write_file(sshd.known_hosts(), line + "@revoked * " + line.substr(line.find(' ') + 1));
  const Error revoked = error_of([&] { connect(loops, target_of(sshd), policy_of(sshd)); });
  CHECK(revoked.code() == Code::host_key);
  CHECK(holds(revoked.message(), "REVOKED"));
}

TEST_CASE("trusting a host asks once, writes its key, and then it connects", "[ssh]") {
  PORTER_NEEDS_SSHD();
  const ThrowawaySshd sshd;
  SshPolicy policy = policy_of(sshd);
  policy.known_hosts = {sshd.folder() / "new" / "known_hosts"};
  SshLoops loops(1);
  NoPrompter nobody;
  int asked = 0;
  const auto trust = [&](bool answer) {
    return trust_host(loops, target_of(sshd), policy, nobody, [&](const HostKey&) { return ++asked, answer; },
                      soon(), {});
  };
  trust(false);
  CHECK_FALSE(std::filesystem::exists(policy.known_hosts.front()));
  const HostKey key = trust(true);
  CHECK(key.fingerprint.starts_with("SHA256:"));
  CHECK(asked == 2);
  CHECK(trust(true).blob == key.blob);
  CHECK(asked == 2);
  CHECK(connect(loops, target_of(sshd), policy) != nullptr);
}

TEST_CASE("a host with several keys shows the one that is known", "[ssh]") {
  PORTER_NEEDS_SSHD();
  const base::TemporaryFolder folder;
  const std::string rsa = (folder.path() / "rsa").string();
  run({"ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", rsa});
  tests::SshdOptions options;
  options.extra_lines = {"HostKey " + rsa};
  const ThrowawaySshd sshd(options);
  base::write_file(sshd.known_hosts(),
                   fmt::format("[127.0.0.1]:{} {}", sshd.port(), base::read_file(rsa + ".pub")));
  SshLoops loops(1);
  CHECK(connect(loops, target_of(sshd), policy_of(sshd)) != nullptr);
}

TEST_CASE("an encrypted key asks for its passphrase, once, and only if the host wants it", "[ssh]") {
  PORTER_NEEDS_SSHD();
  const ThrowawaySshd sshd;
  run({"ssh-keygen", "-q", "-p", "-P", "", "-N", "open sesame", "-f", sshd.identity().string()});
  const auto stranger = sshd.folder() / "stranger";
  run({"ssh-keygen", "-q", "-t", "ed25519", "-N", "other", "-f", stranger.string()});
  SshTarget target = target_of(sshd);
  target.identities = {stranger, sshd.identity()};
  SshLoops loops(1);
  Answers right({"open sesame"});
  CHECK(connect_ssh(loops, target, policy_of(sshd), right, soon(), {}) != nullptr);
  REQUIRE(right.asked.size() == 1);
  CHECK(holds(right.asked.front(), sshd.identity().string()));
  CHECK(right.kinds.front() == Question::passphrase);

  Answers wrong({"guess"});
  const Error refused = error_of([&] { connect_ssh(loops, target, policy_of(sshd), wrong, soon(), {}); });
  CHECK(refused.code() == Code::authentication);
  CHECK(holds(refused.message(), "wrong passphrase"));

  const Error unanswered = error_of([&] { connect(loops, target, policy_of(sshd)); });
  CHECK(unanswered.code() == Code::authentication);
  CHECK(holds(unanswered.message(), "needs a passphrase"));
}

TEST_CASE("a refused login says what was tried", "[ssh]") {
  PORTER_NEEDS_SSHD();
  tests::SshdOptions options;
  options.extra_lines = {"PasswordAuthentication yes"};
  const ThrowawaySshd sshd(options);
  const auto stranger = sshd.folder() / "stranger";
  run({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", stranger.string()});
  SshTarget target = target_of(sshd);
  target.identities = {stranger, sshd.folder() / "absent"};
  SshLoops loops(1);
  Answers wrong({"not this one", "nor this"});
  const Error error = error_of([&] { connect_ssh(loops, target, policy_of(sshd), wrong, soon(), {}); });
  CHECK(error.code() == Code::authentication);
  CHECK(holds(error.message(), stranger.string() + " (refused)"));
  CHECK(holds(error.message(), "absent (no such file)"));
  CHECK(holds(error.message(), "password (refused)"));
  CHECK(holds(error.message(), "password (nobody answered)"));
  CHECK(wrong.kinds == std::vector<Question>(3, Question::password));
  CHECK_FALSE(error.hint_text().empty());
}

TEST_CASE("the agent's keys are used, and none when there is no agent", "[ssh]") {
  PORTER_NEEDS_SSHD();
  const ThrowawaySshd sshd;
  const std::string socket = (sshd.folder() / "agent").string();
  base::Command command;
  command.arguments = {"ssh-agent", "-D", "-a", socket};
  const base::Child agent = base::Child::start(command, {});
  const base::Deadline deadline = soon();
  while (!std::filesystem::exists(socket) && !deadline.passed())
    std::this_thread::yield();
  run({"ssh-add", "-q", sshd.identity().string()}, {{"SSH_AUTH_SOCK", socket}});
  SshTarget target = target_of(sshd);
  target.identities.clear();
  SshPolicy policy = policy_of(sshd);
  SshLoops loops(1);
  CHECK(error_of([&] { connect(loops, target, policy); }).code() == Code::authentication);
  policy.agent_socket = socket;
  CHECK(connect(loops, target, policy) != nullptr);
}

TEST_CASE("the user's ssh configuration says where an alias leads", "[ssh]") {
  PORTER_NEEDS_SSHD();
  const ThrowawaySshd sshd;
  SshPolicy policy = policy_of(sshd);
  policy.known_hosts.clear();
  policy.config_file = sshd.folder() / "config";
  base::write_file(
      policy.config_file,
      fmt::format(
          "Host alias\n HostName 127.0.0.1\n Port {}\n User {}\n IdentityFile {}\n UserKnownHostsFile {}\n",
          sshd.port(), sshd.user(), sshd.identity().string(), sshd.known_hosts().string()));
  SshLoops loops(1);
  const auto transport = connect(loops, parse_ssh_target("alias"), policy);
  CHECK(transport->describe() == fmt::format("alias ({}@127.0.0.1:{})", sshd.user(), sshd.port()));
}

TEST_CASE("jump hosts are passed, several in a row, each with its key checked", "[ssh]") {
  PORTER_NEEDS_SSHD();
  const ThrowawaySshd first;
  const ThrowawaySshd second;
  base::write_file(first.known_hosts(),
                   base::read_file(first.known_hosts()) + base::read_file(second.known_hosts()));
  SshPolicy policy = policy_of(first);
  policy.config_file = first.folder() / "config";
  base::write_file(policy.config_file, fmt::format("Host *\n IdentityFile {}\n IdentityFile {}\n",
                                                   first.identity().string(), second.identity().string()));
  SshTarget target = target_of(second);
  const std::string jump = fmt::format("{}@127.0.0.1:{}", first.user(), first.port());
  target.jump = jump + "," + jump;
  SshLoops loops(2);
  {
    const auto transport = connect(loops, target, policy);
    Process cat = transport->start({"cat"});
    const std::string text = big_text(3U << 20U);
    std::thread writer([&] {
      base::write_all(cat.stream.get(), text);
      ::shutdown(cat.stream.get(), SHUT_WR);
    });
    CHECK((base::read_to_end(cat.stream.get(), text.size()) == text));
    writer.join();
    CHECK(cat.wait(soon()).ok());
  }
  SilentServer closed;
  target.port = closed.port();
  closed.close();
  const Error refused = error_of([&] { connect(loops, target, policy); });
  CHECK(refused.code() == Code::unreachable);
  CHECK(holds(refused.message(), fmt::format("cannot reach 127.0.0.1:{}", target.port)));

  policy.known_hosts = {second.known_hosts()};
  target.port = second.port();
  CHECK(error_of([&] { connect(loops, target, policy); }).code() == Code::host_key);
}

TEST_CASE("jumps that go in a circle are an error", "[ssh]") {
  PORTER_NEEDS_SSHD();
  const ThrowawaySshd sshd;
  SshPolicy policy = policy_of(sshd);
  policy.config_file = sshd.folder() / "config";
  base::write_file(policy.config_file, "Host a\n ProxyJump b\nHost b\n ProxyJump a\n");
  SshLoops loops(1);
  CHECK(error_of([&] { connect(loops, parse_ssh_target("a"), policy); }).code() == Code::cycle);
}

TEST_CASE("a connection that falls silent ends as unreachable within the idle deadline", "[ssh]") {
  PORTER_NEEDS_SSHD();
  ThrowawaySshd sshd;
  SshPolicy policy = policy_of(sshd);
  policy.keepalive = 100ms;
  policy.idle_timeout = 1500ms;
  SshLoops loops(1);
  const auto transport = connect(loops, target_of(sshd), policy);
  Process cat = transport->start({"cat"});
  base::write_all(cat.stream.get(), "x");
  std::array<std::byte, 4> buffer;
  REQUIRE(base::read_some(cat.stream.get(), buffer) == 1);
  CHECK_THROWS_AS(cat.wait(base::Deadline::in(2500ms)), Error);  // silent, but answering: it lives
  CHECK_FALSE(cat.ending->done());
  sshd.freeze();
  const auto begin = std::chrono::steady_clock::now();
  const Error error = error_of([&] { cat.wait(soon()); });
  CHECK(error.code() == Code::unreachable);
  CHECK(holds(error.message(), "no sign of life"));
  CHECK(std::chrono::steady_clock::now() - begin < 10s);
  CHECK(base::read_to_end(cat.stream.get(), 10).empty());
  CHECK(error_of([&] { transport->start({"cat"}).wait(soon()); }).code() == Code::unreachable);
  sshd.thaw();
}

TEST_CASE("a connection that breaks ends its streams as unreachable", "[ssh]") {
  PORTER_NEEDS_SSHD();
  ThrowawaySshd sshd;
  SshLoops loops(1);
  const auto transport = connect(loops, target_of(sshd), policy_of(sshd));
  Process cat = transport->start({"cat"});
  base::write_all(cat.stream.get(), "x");
  std::array<std::byte, 4> buffer;
  REQUIRE(base::read_some(cat.stream.get(), buffer) == 1);
  sshd.kill();
  const Error error = error_of([&] { cat.wait(soon()); });
  CHECK(error.code() == Code::unreachable);
  CHECK(holds(error.message(), "testing ("));
}

TEST_CASE("a process outlives its transport as a stream that has ended", "[ssh]") {
  PORTER_NEEDS_SSHD();
  const ThrowawaySshd sshd;
  Process cat;
  {
    SshLoops loops(1);
    const auto transport = connect(loops, target_of(sshd), policy_of(sshd));
    cat = transport->start({"cat"});
  }
  CHECK(base::read_to_end(cat.stream.get(), 10).empty());
  CHECK(error_of([&] { cat.wait(soon()); }).code() == Code::unreachable);
}

TEST_CASE("nobody listening, silence and cancel are told apart while connecting", "[ssh]") {
  SilentServer server;
  SshTarget target = parse_ssh_target(fmt::format("deploy@127.0.0.1:{}", server.port()));
  target.name = "testing";
  SshPolicy policy;
  policy.connect_timeout = 200ms;
  SshLoops loops(1);
  const Error silent = error_of([&] { connect(loops, target, policy); });
  CHECK(silent.code() == Code::timeout);
  CHECK(silent.message().starts_with(
      fmt::format("testing (deploy@127.0.0.1:{}): cannot connect", server.port())));

  policy.connect_timeout = 60s;
  const base::CancelToken cancel;
  std::thread canceller([&] {
    std::this_thread::sleep_for(50ms);
    cancel.cancel();
  });
  NoPrompter nobody;
  CHECK_THROWS_AS(connect_ssh(loops, target, policy, nobody, soon(), cancel), base::Interrupted);
  canceller.join();

  server.close();
  const Error refused = error_of([&] { connect(loops, target, policy); });
  CHECK(refused.code() == Code::unreachable);
  CHECK(holds(refused.message(), "Connection refused"));
}

TEST_CASE("a name that cannot be looked up is unreachable", "[ssh]") {
  SshLoops loops(1);
  SshPolicy policy;
  policy.local_user = "deploy";
  const Error error = error_of([&] { connect(loops, parse_ssh_target("no-such-host.invalid"), policy); });
  CHECK(error.code() == Code::unreachable);
  CHECK(holds(error.message(), "no-such-host.invalid"));
}

TEST_CASE("many connections share few loops", "[ssh]") {
  PORTER_NEEDS_SSHD();
  const ThrowawaySshd sshd;
  SshLoops loops(2);
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&, i] {
      const auto transport = connect(loops, target_of(sshd), policy_of(sshd));
      Process cat = transport->start({"cat"});
      const std::string text = std::to_string(i);
      if (talk(cat, text) == text && cat.wait(soon()).ok()) ++good;
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  CHECK(good == 16);
}
