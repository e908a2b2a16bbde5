#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "core/protocol/messages.h"
#include "tests/unit/endpoint/fixture.h"

using namespace porter;
using namespace porter::tests;

namespace {

protocol::RunRequest program(std::vector<std::string> arguments) {
  protocol::RunRequest request;
  request.arguments = std::move(arguments);
  return request;
}

unsigned mode_of(const fs::path& path) {
  struct stat info {};
  ::lstat(path.c_str(), &info);
  return info.st_mode & 07777U;
}

}  // namespace

TEST_CASE("the agent says who and where it is", "[endpoint]") {
  const LocalAgent agent;
  const protocol::Hello& hello = agent->hello();
  CHECK(hello.major == protocol::kMajor);
  CHECK(hello.uid == ::getuid());
  CHECK(hello.pid != 0);
  CHECK(hello.machine == "x86_64");
  CHECK_FALSE(hello.hostname.empty());
  CHECK_FALSE(hello.user.empty());
  CHECK(hello.home.starts_with('/'));
  CHECK(std::count(hello.ipv4.begin(), hello.ipv4.end(), '.') == 3);
  CHECK_FALSE(agent->pushed());
}

TEST_CASE("a program runs by argument list, with its folder, environment and input", "[endpoint]") {
  const LocalAgent agent;
  const base::TemporaryFolder folder;
  protocol::RunRequest request = program(
      {"sh", "-c", "printf '%s|' \"$1\" \"$NAME\"; pwd; cat; echo no >&2; exit 3", "sh", "a b; $HOME"});
  request.directory = folder.path().string();
  request.environment = {"NAME=x=y"};
  request.input = "fed";
  const protocol::RunResult result = agent->run(request);
  CHECK(result.status == 3);
  CHECK(result.output == "a b; $HOME|x=y|" + fs::canonical(folder.path()).string() + "\nfed");
  CHECK(result.errors == "no\n");
  CHECK_FALSE(result.output_cut);
}

TEST_CASE("output beyond the limit is cut and said to be", "[endpoint]") {
  const LocalAgent agent;
  protocol::RunRequest request = program({"sh", "-c", "yes | head -c 100000"});
  request.output_limit = 1000;
  const protocol::RunResult result = agent->run(request);
  CHECK(result.output.size() == 1000);
  CHECK(result.output_cut);
  CHECK(result.ok());
}

TEST_CASE("a program that cannot be started is an error, and the agent goes on", "[endpoint]") {
  const LocalAgent agent;
  CHECK(code_of([&] { agent->run(program({"/no/such/program"})); }) == base::Code::remote);
  protocol::RunRequest request = program({"true"});
  request.directory = "/no/such/folder";
  UNSCOPED_INFO(text_of([&] { agent->run(request); }));
  CHECK(text_of([&] { agent->run(request); }).find("/no/such/folder") != std::string::npos);
  CHECK(agent->run(program({"true"})).ok());
}

TEST_CASE("a program is ended with all its children at its deadline", "[endpoint]") {
  const LocalAgent agent;
  const base::TemporaryFolder folder;
  const fs::path pid_file = folder.path() / "pid";
  protocol::RunRequest request =
      program({"sh", "-c", "sleep 300 & echo $! > " + pid_file.string() + "; wait"});
  request.deadline_seconds = 1;
  CHECK(code_of([&] { agent->run(request); }) == base::Code::timeout);
  const int pid = std::stoi(read(pid_file));
  // Killed; it may stay a zombie of init for a moment.
  for (int i = 0; i < 100 && ::kill(pid, 0) == 0 &&
                  read("/proc/" + std::to_string(pid) + "/stat").find(") Z") == std::string::npos;
       ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const std::string stat = read("/proc/" + std::to_string(pid) + "/stat");
  CHECK((stat.empty() || stat.find(") Z") != std::string::npos));
  CHECK(agent->run(program({"true"})).ok());
}

TEST_CASE("files are written in one step and read back, modes kept", "[endpoint]") {
  const LocalAgent agent;
  const base::TemporaryFolder folder;
  const fs::path file = folder.path() / "deep/er/file";
  const std::string content = random_bytes(3U << 20U, 1);
  agent->write_file(file.string(), content, 0640);
  CHECK(agent->read_file(file.string(), content.size()) == content);
  CHECK(mode_of(file) == 0640);
  agent->write_file(file.string(), "", 0);
  CHECK(agent->read_file(file.string(), 10).empty());
  CHECK(mode_of(file) == 0640);
  agent->write_file((folder.path() / "new").string(), "x", 0);
  CHECK(mode_of(folder.path() / "new") == 0644);
  CHECK(std::distance(fs::directory_iterator(file.parent_path()), {}) == 1);  // no temporary file is left
}

TEST_CASE("reading refuses what is too large, absent or no file", "[endpoint]") {
  const LocalAgent agent;
  const base::TemporaryFolder folder;
  write(folder.path() / "file", std::string(1000, 'x'));
  REQUIRE(::mkfifo((folder.path() / "pipe").c_str(), 0600) == 0);
  CHECK(code_of([&] { agent->read_file((folder.path() / "file").string(), 999); }) == base::Code::refused);
  CHECK(code_of([&] { agent->read_file((folder.path() / "none").string(), 9); }) == base::Code::missing);
  CHECK(code_of([&] { agent->read_file((folder.path() / "pipe").string(), 9); }) == base::Code::refused);
  CHECK(code_of([&] { agent->read_file("relative", 9); }) != base::Code::internal);
}

TEST_CASE("a write that fails leaves the agent usable", "[endpoint]") {
  const LocalAgent agent;
  CHECK(text_of([&] {
          agent->write_file("/proc/nowhere/file", random_bytes(2U << 20U, 2), 0);
        }).find("/proc/nowhere") != std::string::npos);
  CHECK(agent->exists("/proc"));
}

TEST_CASE("what is at a path is told without following links", "[endpoint]") {
  const LocalAgent agent;
  const base::TemporaryFolder folder;
  fs::create_symlink("nowhere", folder.path() / "link");
  CHECK(agent->exists((folder.path() / "link").string()));
  CHECK(agent->is_link((folder.path() / "link").string()));
  CHECK(agent->stat((folder.path() / "link").string()).target == "nowhere");
  CHECK_FALSE(agent->exists((folder.path() / "none").string()));
  CHECK(agent->stat(folder.path().string()).kind == protocol::PathKind::folder);
  agent->remove((folder.path() / "link").string());
  agent->remove((folder.path() / "link").string());
  CHECK_FALSE(agent->exists((folder.path() / "link").string()));
  write(folder.path() / "a", "1");
  agent->rename((folder.path() / "a").string(), (folder.path() / "b").string());
  CHECK(read(folder.path() / "b") == "1");
}

TEST_CASE("a folder is uploaded with modes, links and odd names", "[endpoint]") {
  const LocalAgent agent;
  const base::TemporaryFolder folder;
  const fs::path from = folder.path() / "from";
  write(from / "sub/large", random_bytes(700000, 3));
  write(from / "a \n\xff'b", "odd");
  write(from / "empty", "");
  fs::create_directories(from / "nothing");
  fs::create_symlink("../elsewhere", from / "sub/link");
  ::chmod((from / "empty").c_str(), 0751);
  const auto before = agent->traffic().exchanges;
  agent->upload(from, (folder.path() / "to").string());
  CHECK(agent->traffic().exchanges - before == 1);
  CHECK(listing(from) == listing(folder.path() / "to"));
  CHECK(code_of([&] { agent->upload(from / "none", "/x"); }) == base::Code::missing);
}

TEST_CASE("calls are counted by kind, with their time and what they sent", "[endpoint]") {
  const LocalAgent agent;
  const base::TemporaryFolder folder;
  agent->write_file((folder.path() / "a").string(), random_bytes(50'000, 1), 0644);
  agent->exists("/");
  agent->exists("/none");
  const std::vector<endpoint::StepCount> steps = agent->steps();
  REQUIRE(steps.size() == 2);
  CHECK(steps[0].name == "write_file");
  CHECK(steps[0].traffic.bytes_out > 50'000);
  CHECK(steps[0].traffic.exchanges == 1);
  CHECK(steps[1].name == "stat");
  CHECK(steps[1].traffic.bytes_out < 1'000);
  CHECK(steps[1].traffic.exchanges == 2);
  CHECK(steps[1].time > std::chrono::nanoseconds(0));
}

TEST_CASE("an agent ends with its connection, and takes its children along", "[endpoint]") {
  const base::TemporaryFolder folder;
  const fs::path pid_file = folder.path() / "pid";
  std::uint64_t agent_pid = 0;
  {
    const base::CancelToken cancel;
    endpoint::DialOptions options;
    options.start = endpoint::DialOptions::Start::child;
    options.cancel = cancel;
    const auto transport = transport::make_local_transport("laptop");
    const auto agent = endpoint::Endpoint::dial(*transport, bundle(), options);
    agent_pid = agent->hello().pid;
    std::thread canceller([&] {
      while (read(pid_file).empty())
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      cancel.cancel();
    });
    CHECK_THROWS_AS(agent->run(program({"sh", "-c", "echo $$ > " + pid_file.string() + "; sleep 300"})),
                    base::Interrupted);
    canceller.join();
    CHECK(code_of([&] { agent->exists("/"); }) == base::Code::unreachable);
  }
  const auto gone = [](std::uint64_t pid) {
    const std::string stat = read("/proc/" + std::to_string(pid) + "/stat");
    return stat.empty() || stat.find(") Z") != std::string::npos;
  };
  for (int i = 0; i < 400 && !(gone(agent_pid) && gone(std::stoul(read(pid_file)))); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK(gone(agent_pid));
  CHECK(gone(std::stoul(read(pid_file))));
}

TEST_CASE("a host that waits longer than the idle deadline keeps its agent", "[endpoint]") {
  const LocalAgent agent(std::chrono::seconds(1));
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(2500);
  while (std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));  // the wait is what is tested
  CHECK(agent->exists("/"));
}

TEST_CASE("a program that is silent for longer than the idle deadline goes on", "[endpoint]") {
  const LocalAgent agent(std::chrono::seconds(1));
  CHECK(agent->run(program({"sleep", "2.5"})).ok());
}

TEST_CASE("a path that the system does not even look at is an answer, and the connection stays",
          "[endpoint]") {
  const LocalAgent agent;
  const base::TemporaryFolder folder;
  const std::string name(300, 'n');
  const std::string loop = folder.path() / "loop";
  fs::create_symlink("loop", loop);
  protocol::RunRequest request = program({"true"});
  for (const std::string& path : {(folder.path() / name).string(), loop}) {
    request.directory = path;
    CHECK_THROWS_AS(agent->run(request), base::Error);
    CHECK_THROWS_AS(agent->write_file(path + "/file", "x", 0644), base::Error);
  }
  CHECK(agent->run(program({"true"})).ok());
}

TEST_CASE("an agent that is killed takes the program with it that it runs", "[endpoint]") {
  const LocalAgent agent;
  const base::TemporaryFolder folder;
  const fs::path told = folder.path() / "pid";
  std::thread killer([&] {
    const auto deadline = base::Deadline::in(std::chrono::seconds(20));
    while (!(fs::exists(told) && fs::file_size(told) > 0) && !deadline.passed())
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    ::kill(static_cast<pid_t>(agent->hello().pid), SIGKILL);
  });
  CHECK_THROWS_AS(agent->run(program({"sh", "-c", "echo $$ > " + told.string() + "; exec sleep 60"})),
                  base::Error);
  killer.join();
  const auto pid = static_cast<pid_t>(std::stoi(base::read_file(told)));
  const auto deadline = base::Deadline::in(std::chrono::seconds(5));
  while (::kill(pid, 0) == 0 && !deadline.passed())
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  CHECK(::kill(pid, 0) != 0);
}
