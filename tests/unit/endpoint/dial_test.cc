#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "core/base/digest.h"
#include "core/endpoint/agent_script.h"
#include "core/protocol/messages.h"
#include "core/protocol/stripes.h"
#include "tests/unit/endpoint/fixture.h"

using namespace porter;
using namespace porter::tests;

namespace {

using Arguments = std::vector<std::string>;

// A machine to push to: a home folder of its own, and what stands before every command on it.
class FakeMachine : public transport::Transport {
 public:
  base::TemporaryFolder folder;
  fs::path home = folder.path() / "home";
  Arguments in_front;                               // for every command
  std::function<Arguments(int, Arguments)> change;  // may replace the n-th command
  int started = 0;

  FakeMachine() { fs::create_directories(home); }

  transport::Process start(const Arguments& arguments) override {
    Arguments all = {"env", "HOME=" + home.string()};
    all.insert(all.end(), in_front.begin(), in_front.end());
    all.insert(all.end(), arguments.begin(), arguments.end());
    if (change) all = change(started, all);
    ++started;
    return local_->start(all);
  }
  std::string describe() const override { return "web01 (deploy@web01:22)"; }
  transport::TrafficCount traffic() const override { return {}; }

  fs::path cache() const { return home / ".cache/porter"; }
  fs::path agent_file() const { return cache() / endpoint::agent_file_name("x86_64", bundle().own().digest); }
  std::size_t files_in_cache() const {
    return fs::exists(cache()) ? static_cast<std::size_t>(std::distance(fs::directory_iterator(cache()), {}))
                               : 0;
  }
  // A folder for PATH that holds these programs of the real one, but for the `fake` ones. The real ones are
  // links, so that a name which is faked must never have been linked: writing would go through.
  std::string path_with(const std::vector<std::string>& real,
                        const std::map<std::string, std::string>& fake) {
    const fs::path bin = folder.path() / "bin";
    fs::remove_all(bin);
    fs::create_directories(bin);
    for (const auto& [name, text] : fake) {
      write(bin / name, "#!/bin/sh\n" + text + "\n");
      fs::permissions(bin / name, fs::perms::owner_all);
    }
    for (const std::string& name : real)
      for (const char* place : {"/bin/", "/usr/bin/"})
        if (fs::exists(place + name) && !fs::exists(bin / name)) fs::create_symlink(place + name, bin / name);
    return "PATH=" + bin.string();
  }

 private:
  std::unique_ptr<transport::Transport> local_ = transport::make_local_transport("x");
};

std::unique_ptr<endpoint::Endpoint> dial(transport::Transport& machine, const std::string& agent_path = "",
                                         const std::string& become = "") {
  endpoint::DialOptions options;
  options.agent_path = agent_path;
  options.become = become;
  options.dial_deadline = std::chrono::seconds(20);
  return endpoint::Endpoint::dial(machine, bundle(), options);
}

const std::vector<std::string> kTools = {"sh", "env", "mkdir", "chmod", "mktemp", "cat",
                                         "wc", "mv",  "rm",    "uname", "id",     "sync"};

}  // namespace

TEST_CASE("first contact pushes the agent, the second finds it with one exec", "[dial]") {
  FakeMachine machine;
  const auto first = dial(machine);
  CHECK(first->pushed());
  CHECK(machine.started == 3);
  CHECK(fs::exists(machine.agent_file()));
  CHECK(machine.files_in_cache() == 1);
  CHECK(first->exists("/"));
  const auto second = dial(machine);
  CHECK_FALSE(second->pushed());
  CHECK(machine.started == 4);
}

TEST_CASE("agent_path is tried first, also below the home folder", "[dial]") {
  FakeMachine machine;
  CHECK(dial(machine, "~/tools/it's here")->pushed());
  CHECK(fs::exists(machine.home / "tools/it's here"));
  CHECK(machine.files_in_cache() == 0);
  CHECK_FALSE(dial(machine, "~/tools/it's here")->pushed());
}

TEST_CASE("a home folder that cannot be written to is passed over", "[dial]") {
  FakeMachine machine;
  write(machine.home / ".cache", "a file");
  const fs::path fallback = "/var/tmp/porter-" + std::to_string(::getuid());
  const auto agent = dial(machine);
  CHECK(fs::exists(fallback / endpoint::agent_file_name("x86_64", bundle().own().digest)));
  fs::remove(fallback / endpoint::agent_file_name("x86_64", bundle().own().digest));
  std::error_code not_empty;
  fs::remove(fallback, not_empty);
}

TEST_CASE("start-up files that talk are read over, up to a limit", "[dial]") {
  FakeMachine machine;
  machine.in_front = {"sh", "-c", "printf 'Welcome!\\n\\033[31mred'; exec \"$@\"", "sh"};
  CHECK(dial(machine)->exists("/"));
  machine.in_front = {"sh", "-c", "yes noise | head -c 60000; exec \"$@\"", "sh"};
  CHECK(dial(machine)->exists("/"));
  machine.in_front = {"sh", "-c", "yes 'This is noise' | head -c 200000; exec \"$@\"", "sh"};
  const std::string text = text_of([&] { dial(machine); });
  CHECK(text.find("This is noise") != std::string::npos);
}

TEST_CASE("an account without a shell is quoted", "[dial]") {
  FakeMachine machine;
  machine.change = [](int, const Arguments&) {
    return Arguments{"sh", "-c", "echo 'This account is \033currently not available.'; exit 1"};
  };
  const std::string text = text_of([&] { dial(machine); });
  CHECK(text.find("the agent did not start (exit status 1)") != std::string::npos);
  CHECK(text.find("This account is \\x1bcurrently not available.") != std::string::npos);
}

TEST_CASE("an agent that arrives cut short is never executed and leaves nothing", "[dial]") {
  FakeMachine machine;
  machine.change = [](int number, Arguments all) {
    if (number != 1) return all;
    Arguments cut = {"sh", "-c", "head -c 100000 | \"$@\"", "sh"};
    cut.insert(cut.end(), all.begin(), all.end());
    return cut;
  };
  const std::string text = text_of([&] { dial(machine); });
  CHECK(text.find("only 100000 of") != std::string::npos);
  CHECK(machine.files_in_cache() == 0);
  CHECK(machine.started == 2);
  machine.change = nullptr;
  CHECK(dial(machine)->pushed());
}

TEST_CASE("an agent that is another file by now is not installed", "[dial]") {
  FakeMachine machine;
  const base::TemporaryFolder folder;
  const std::string content = read(bundle().own().file);
  const fs::path file = folder.path() / "porter-agent-x86_64";
  write(file, content);
  const endpoint::AgentBundle opened = endpoint::AgentBundle::open(folder.path());
  endpoint::DialOptions options;
  options.dial_deadline = std::chrono::seconds(20);
  const auto push = [&] { endpoint::Endpoint::dial(machine, opened, options); };
  std::string other = content;
  other.back() ^= 1;
  for (const std::string& now : {other, content.substr(0, 1000), std::string()}) {
    write(file, now);
    CHECK(text_of(push).find("changed since this program started") != std::string::npos);
    CHECK_FALSE(fs::exists(machine.agent_file()));
  }
  write(file, content);
  push();
  CHECK(fs::exists(machine.agent_file()));
}

TEST_CASE("an agent that arrives changed is refused, with and without sha256sum", "[dial]") {
  for (const bool tool : {true, false}) {
    FakeMachine machine;
    std::vector<std::string> tools = kTools;
    if (tool) tools.emplace_back("sha256sum");
    machine.in_front = {machine.path_with(tools, {})};
    machine.change = [](int number, Arguments all) {
      if (number != 1) return all;
      // The program's last bytes are its section names: it still runs.
      Arguments changed = {"/bin/sh", "-c", "/usr/bin/head -c -1 > /dev/null; exec \"$@\" < /dev/null", "sh"};
      changed = {"/usr/bin/python3", "-c",
                 "import sys,subprocess\nb=bytearray(sys.stdin.buffer.read()); b[-1]^=1\n"
                 "sys.exit(subprocess.run(sys.argv[1:],input=bytes(b)).returncode)"};
      changed.insert(changed.end(), all.begin(), all.end());
      return changed;
    };
    const std::string text = text_of([&] { dial(machine); });
    CHECK(text.find("it arrived as") != std::string::npos);
    CHECK(machine.files_in_cache() == 0);
    machine.change = nullptr;
    CHECK(dial(machine)->pushed());
  }
}

TEST_CASE("a damaged agent on the target is replaced", "[dial]") {
  FakeMachine machine;
  write(machine.agent_file(), "not a program at all (\n");
  ::chmod(machine.agent_file().c_str(), 0700);
  const auto agent = dial(machine);
  CHECK(agent->pushed());
  CHECK(agent->exists("/"));
}

TEST_CASE("another system or machine is refused with what to do", "[dial]") {
  FakeMachine mac;
  mac.in_front = {mac.path_with(kTools, {{"uname", "[ \"$1\" = -m ] && echo arm64 || echo Darwin"}})};
  const std::string darwin = text_of([&] { dial(mac); });
  CHECK(darwin.find("runs Darwin on arm64; porter-agent needs Linux") != std::string::npos);
  CHECK(darwin.find("hint:") != std::string::npos);
  CHECK(mac.started == 1);
  FakeMachine board;
  board.in_front = {board.path_with(kTools, {{"uname", "[ \"$1\" = -m ] && echo aarch64 || echo Linux"}})};
  const std::string arm = text_of([&] { dial(board); });
  CHECK(arm.find("is a aarch64 machine; this installation has agents for x86_64") != std::string::npos);
  CHECK(arm.find("porter-agent-aarch64") != std::string::npos);
}

TEST_CASE("sudo that wants a password is explained", "[dial]") {
  FakeMachine machine;
  machine.in_front = {
      machine.path_with(kTools, {{"sudo", "echo 'sudo: a password is required' >&2; exit 1"}})};
  CHECK(code_of([&] { dial(machine, "", "deploy"); }) == base::Code::become);
}

TEST_CASE("what is asked first travels with the start of the agent", "[dial]") {
  FakeMachine machine;
  const std::string site = (machine.folder.path() / "site").string();
  protocol::SiteQuery query;
  query.path = site;
  endpoint::DialOptions options;
  options.opening.look = {query, query};
  for (const bool pushed : {true, false}) {
    const auto agent = endpoint::Endpoint::dial(machine, bundle(), options);
    CHECK(agent->pushed() == pushed);
    CHECK(agent->look({query, query}).size() == 2);
    CHECK(agent->traffic().frames_out == 0);
    CHECK(agent->look({query, query}).size() == 2);
    CHECK(agent->traffic().frames_out == 1);
  }
}

TEST_CASE("a program that is asked for first runs once, whether the agent is there or not", "[dial]") {
  FakeMachine machine;
  const fs::path note = machine.folder.path() / "note";
  protocol::RunRequest request;
  request.arguments = {"sh", "-c", "echo once >> " + note.string() + "; exit 3"};
  endpoint::DialOptions options;
  options.opening.run = request.arguments;
  for (const char* seen : {"once\n", "once\nonce\n"}) {
    const auto agent = endpoint::Endpoint::dial(machine, bundle(), options);
    CHECK(agent->run(request).status == 3);
    CHECK(read(note) == seen);
  }
}

TEST_CASE("an answer that nobody wants any more is dropped", "[dial]") {
  FakeMachine machine;
  protocol::SiteQuery query;
  query.path = machine.folder.path().string();
  endpoint::DialOptions options;
  options.opening.look = {query};
  dial(machine);
  CHECK(endpoint::Endpoint::dial(machine, bundle(), options)->exists("/"));
  protocol::SiteQuery broken;
  broken.path = "/etc/passwd/site";
  options.opening.look = {broken, query};
  const auto agent = endpoint::Endpoint::dial(machine, bundle(), options);
  CHECK(agent->exists("/"));
  CHECK_FALSE(agent->exists("/nonexistent"));
  CHECK(agent->look({query}).size() == 1);
  CHECK_THROWS_AS(agent->look({broken}), base::Error);  // what was dropped was a failure
}

TEST_CASE("more than a command line should hold is asked a little later", "[dial]") {
  FakeMachine machine;
  protocol::SiteQuery query;
  query.path = machine.folder.path().string() + "/" + std::string(200, 'x');
  endpoint::DialOptions options;
  options.opening.look.assign(1000, query);
  const auto agent = endpoint::Endpoint::dial(machine, bundle(), options);
  CHECK(agent->look(options.opening.look).size() == 1000);
  CHECK(agent->traffic().frames_out == 1);
}

TEST_CASE("where there is one kind of agent, no program is started but it", "[dial]") {
  FakeMachine machine;
  dial(machine);
  machine.in_front = {machine.path_with({"sh", "env"}, {})};
  CHECK_FALSE(dial(machine)->pushed());
}

TEST_CASE("an agent whose peer is silent ends itself", "[dial]") {
  const auto local = transport::make_local_transport("laptop");
  transport::Process process = local->start({bundle().own().file.string(), "--serve"});
  protocol::Welcome welcome;
  welcome.idle_seconds = 1;
  base::write_all(process.stream.get(), protocol::to_frame(welcome));
  CHECK(process.wait(base::Deadline::in(std::chrono::seconds(10))).status == 2);
}

TEST_CASE("an agent whose peer lets bytes trickle ends itself", "[dial]") {
  const auto local = transport::make_local_transport("laptop");
  transport::Process process = local->start({bundle().own().file.string(), "--serve"});
  protocol::Welcome welcome;
  welcome.idle_seconds = 1;
  base::write_all(process.stream.get(), protocol::to_frame(welcome));
  const std::string frame = protocol::to_frame(protocol::AskStat{std::string(4000, 'x')});
  const auto deadline = base::Deadline::in(std::chrono::seconds(20));
  bool ended = false;
  for (std::size_t i = 0; i < frame.size() && !ended && !deadline.passed(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ended = ::send(process.stream.get(), &frame[i], 1, MSG_NOSIGNAL) < 0;
  }
  CHECK(ended);
  CHECK(process.wait(base::Deadline::in(std::chrono::seconds(10))).status == 2);
}

TEST_CASE("an agent answers nonsense with an error and ends", "[dial]") {
  const auto local = transport::make_local_transport("laptop");
  const std::string welcome = protocol::to_frame(protocol::Welcome{});
  const std::string striped =
      protocol::to_frame(protocol::Stripe{base::to_hex(base::sha256("x")).substr(0, 32)});
  const std::vector<std::string> nonsense = {
      "GET / HTTP/1.1\r\n\r\n",
      std::string("\xff\xff\xff\xff\x01", 5),
      protocol::to_frame(protocol::Activate{"/srv", "r1", "run", protocol::Deletion::listed}),
      welcome + welcome,
      welcome + protocol::to_frame(protocol::StageEnd{}),
      welcome + protocol::encode_frame(200, ""),
      protocol::to_frame(protocol::Stripe{std::string(32, 'a')}) + welcome,
      welcome + protocol::to_frame(protocol::Stripe{"../../etc"}),
      welcome + protocol::to_frame(protocol::Stripe{std::string(32, 'A')}),
      welcome + striped + "nonsense of all kinds",
      welcome + striped + protocol::stripe_header(1, 0) + "x" + protocol::stripe_header(1, 0),
      welcome + striped + protocol::stripe_header(striped.size(), 0) + striped,
      welcome + protocol::encode_frame(16, "\xff\xff\xff"),
      welcome + protocol::to_frame(protocol::CompareBegin{{"/srv", {}, {}, {}}, {}, {}}) +
          protocol::to_frame(protocol::Done{}),
  };
  for (const std::string& bytes : nonsense) {
    transport::Process process = local->start({bundle().own().file.string(), "--serve"});
    base::write_all(process.stream.get(), bytes);
    const auto status = process.wait(base::Deadline::in(std::chrono::seconds(10)));
    CHECK(status.status == 3);
    protocol::MagicFinder finder;
    REQUIRE(finder.feed(base::read_to_end(process.stream.get(), 1U << 20U)));
    protocol::FrameParser parser;
    parser.feed(finder.rest());
    CHECK(parser.next()->type == static_cast<std::uint8_t>(protocol::Type::hello));
    const auto last = parser.next();
    REQUIRE(last);
    CHECK(protocol::expect<protocol::Failure>(*last).code == static_cast<int>(base::Code::protocol));
  }
}
