#include <fmt/format.h>

#include <deque>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/subprocess.h"
#include "core/transport/private_key.h"
#include "core/transport/ssh_transport.h"
#include "tests/support/catch.h"
#include "tests/support/throwaway_sshd.h"
#include "tests/unit/transport/talking_server.h"

using namespace porter;
using namespace porter::transport;
using porter::tests::TalkingServer;

namespace {

base::Deadline soon() {
  return base::Deadline::in(std::chrono::seconds(60));
}

class Answers : public Prompter {
 public:
  explicit Answers(std::deque<std::string> answers) : answers_(std::move(answers)) {}
  std::optional<base::Secret> ask(Question kind, const std::string& text) override {
    kinds.push_back(kind);
    asked.push_back(text);
    if (answers_.empty()) return std::nullopt;
    base::Secret answer(answers_.front());
    answers_.pop_front();
    return answer;
  }
  std::vector<Question> kinds;
  std::vector<std::string> asked;

 private:
  std::deque<std::string> answers_;
};

void make_key(const std::filesystem::path& file, const std::string& type,
              const std::vector<std::string>& more) {
  base::Command command;
  command.arguments = {"ssh-keygen", "-q", "-t", type, "-f", file.string()};
  command.arguments.insert(command.arguments.end(), more.begin(), more.end());
  REQUIRE(base::run_command(command, soon(), {}).ok());
}

// A server whose key is known, and a login to it.
struct Login {
  explicit Login(TalkingServer::Login kind) : server_((make_key(key_, "ed25519", {"-N", ""}), key_), kind) {
    const std::string text = base::read_file(key_.string() + ".pub");
    base::write_file(folder_.path() / "known_hosts", fmt::format("[127.0.0.1]:{} {}", server_.port(), text));
    policy_.known_hosts = {folder_.path() / "known_hosts"};
    target_ = parse_ssh_target(fmt::format("deploy@127.0.0.1:{}", server_.port()));
    target_.name = "testing";
  }
  // A key that needs no passphrase, named in the project.
  void name_a_key() {
    make_key(folder_.path() / "user_key", "ed25519", {"-N", ""});
    target_.identities = {folder_.path() / "user_key"};
  }
  std::vector<std::string> asked() const { return server_.asked(); }
  std::unique_ptr<Transport> connect(Prompter& prompter) {
    return connect_ssh(loops_, target_, policy_, prompter, soon(), {});
  }

 private:
  base::TemporaryFolder folder_;
  std::filesystem::path key_ = folder_.path() / "host_key";
  TalkingServer server_;
  SshPolicy policy_;
  SshTarget target_;
  SshLoops loops_{1};
};

}  // namespace

TEST_CASE("a password is asked for, and again when it was wrong", "[login]") {
  PORTER_NEEDS_SSHD();
  Login login(TalkingServer::Login::password);
  Answers answers({"wrong", TalkingServer::password});
  CHECK(login.connect(answers) != nullptr);
  CHECK(answers.kinds == std::vector<Question>(2, Question::password));
  CHECK(answers.asked.front().starts_with("testing (deploy@127.0.0.1:"));
}

TEST_CASE("a password is asked for three times at most", "[login]") {
  PORTER_NEEDS_SSHD();
  Login login(TalkingServer::Login::password);
  Answers answers({"1", "2", "3", TalkingServer::password});
  try {
    login.connect(answers);
    FAIL("logged in");
  } catch (const base::Error& error) {
    CHECK(error.code() == base::Code::authentication);
  }
  CHECK(answers.kinds.size() == 3);
}

TEST_CASE("a host's own questions are passed on, shown or hidden", "[login]") {
  PORTER_NEEDS_SSHD();
  Login login(TalkingServer::Login::questions);
  Answers answers({TalkingServer::colour, TalkingServer::password});
  CHECK(login.connect(answers) != nullptr);
  CHECK(answers.kinds == std::vector<Question>{Question::challenge_shown, Question::challenge});
  CHECK(answers.asked.front().ends_with(": Colour:"));
}

TEST_CASE("questions that nobody answers end the login", "[login]") {
  PORTER_NEEDS_SSHD();
  Login login(TalkingServer::Login::questions);
  Answers answers({});
  try {
    login.connect(answers);
    FAIL("logged in");
  } catch (const base::Error& error) {
    CHECK(error.code() == base::Code::authentication);
    CHECK(error.message().find("keyboard-interactive (nobody answered)") != std::string::npos);
  }
}

using Asked = std::vector<std::string>;

TEST_CASE("a key at hand is signed at once, and nothing else is asked", "[login]") {
  PORTER_NEEDS_SSHD();
  Login login(TalkingServer::Login::key);
  login.name_a_key();
  NoPrompter nobody;
  CHECK(login.connect(nobody) != nullptr);
  CHECK(login.asked() == Asked{"signed key"});
}

TEST_CASE("what the host offers is known from a refused key, else it is asked for", "[login]") {
  PORTER_NEEDS_SSHD();
  Answers answers({TalkingServer::password, TalkingServer::password});
  Login refused(TalkingServer::Login::password);
  refused.name_a_key();
  CHECK(refused.connect(answers) != nullptr);
  CHECK(refused.asked() == Asked{"signed key", "password"});
  Login keyless(TalkingServer::Login::password);
  CHECK(keyless.connect(answers) != nullptr);
  CHECK(keyless.asked() == Asked{"none", "password"});
}

TEST_CASE("an account that needs no proof is entered, by whoever has a key as well", "[login]") {
  PORTER_NEEDS_SSHD();
  NoPrompter nobody;
  Login keyless(TalkingServer::Login::nothing);
  CHECK(keyless.connect(nobody) != nullptr);
  CHECK(keyless.asked() == Asked{"none"});
  Login keyed(TalkingServer::Login::nothing);
  keyed.name_a_key();
  CHECK(keyed.connect(nobody) != nullptr);
  CHECK(keyed.asked() == Asked{"signed key", "none"});
}

TEST_CASE("encrypted key files are told from plain ones in every format", "[login]") {
  PORTER_NEEDS_SSHD();
  const base::TemporaryFolder folder;
  const auto file = [&](const char* name) { return folder.path() / name; };
  make_key(file("plain"), "ed25519", {"-N", ""});
  make_key(file("secret"), "ed25519", {"-N", "phrase"});
  make_key(file("pem"), "rsa", {"-m", "PEM", "-N", ""});
  make_key(file("pem_secret"), "rsa", {"-m", "PEM", "-N", "phrase"});
  make_key(file("pkcs8_secret"), "rsa", {"-m", "PKCS8", "-N", "phrase"});
  CHECK(inspect_key_file(file("plain")) == KeyFile::plain);
  CHECK(inspect_key_file(file("secret")) == KeyFile::encrypted);
  CHECK(inspect_key_file(file("pem")) == KeyFile::plain);
  CHECK(inspect_key_file(file("pem_secret")) == KeyFile::encrypted);
  CHECK(inspect_key_file(file("pkcs8_secret")) == KeyFile::encrypted);
  CHECK(inspect_key_file(file("absent")) == KeyFile::missing);
  CHECK(load_private_key(file("secret"), base::Secret("phrase")) != nullptr);
  CHECK(load_private_key(file("secret"), base::Secret("other")) == nullptr);
  std::filesystem::remove(file("secret.pub"));
  CHECK(load_public_key(file("secret")) != nullptr);
}
