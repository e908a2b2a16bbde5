#include "core/base/subprocess.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/text.h"
#include "tests/support/catch.h"
#include "tests/support/error_of.h"

using namespace porter::base;
using namespace std::chrono_literals;
using porter::tests::error_of;

namespace {

Command command_of(std::vector<std::string> arguments) {
  Command command;
  command.arguments = std::move(arguments);
  return command;
}

Command shell(const std::string& script) {
  return command_of({"/bin/sh", "-c", script});
}

// Far away, so that a test that hangs fails instead.
Deadline soon() {
  return Deadline::in(60s);
}

CommandResult run(const Command& command) {
  return run_command(command, soon(), {});
}

// Waits for a condition; false when it does not come true.
template <class Condition>
bool comes_true(Condition condition) {
  for (const Deadline deadline = soon(); !deadline.passed(); std::this_thread::yield()) {
    if (condition()) return true;
  }
  return false;
}

// A process that ended, reaped by whoever adopted it or not.
bool is_gone(pid_t pid) {
  try {
    const std::string stat = read_file("/proc/" + std::to_string(pid) + "/stat");
    return stat[stat.rfind(')') + 2] == 'Z';
  } catch (const Error&) {
    return true;  // also when it ends between opening and reading
  }
}

pid_t pid_in(const std::filesystem::path& file) {
  std::string text;
  REQUIRE(
      comes_true([&] { return std::filesystem::exists(file) && (text = read_file(file)).ends_with('\n'); }));
  const auto pid = parse_integer(trim(text));
  REQUIRE(pid);
  return static_cast<pid_t>(*pid);
}

}  // namespace

TEST_CASE("arguments reach the program as they are: no shell is between", "[subprocess]") {
  const CommandResult result = run(command_of({"printf", "%s\n", "$HOME", "a b", "*", "; echo x", "", "-n"}));
  CHECK(result.ok());
  CHECK(result.output == "$HOME\na b\n*\n; echo x\n\n-n\n");
}

TEST_CASE("a program's end is a result", "[subprocess]") {
  CHECK(run(shell("exit 3")).status == 3);
  CHECK(run(shell("exit 3")).describe() == "exit status 3");
  const CommandResult killed = run(shell("kill -9 $$"));
  CHECK(killed.signal == SIGKILL);
  CHECK_FALSE(killed.ok());
  CHECK(killed.describe() == "killed by signal 9");
}

TEST_CASE("both outputs are kept apart, or merged in the order they were written", "[subprocess]") {
  Command command = shell("echo 1; echo 2 >&2; echo 3");
  CHECK(run(command).output == "1\n3\n");
  CHECK(run(command).errors == "2\n");
  command.merge_output = true;
  CHECK(run(command).output == "1\n2\n3\n");
  CHECK(run(command).errors.empty());
}

TEST_CASE("a program that does not exist is missing", "[subprocess]") {
  const Error error = error_of([] { run(command_of({"no-such-program-here"})); });
  CHECK(error.code() == Code::missing);
  CHECK(error.message() == "cannot run no-such-program-here: No such file or directory");
  CHECK(error_of([] { run(command_of({"/etc/passwd"})); }).code() == Code::io);
}

TEST_CASE("a directory that does not exist is named, not the program", "[subprocess]") {
  Command command = shell("pwd");
  command.directory = "/";
  CHECK(run(command).output == "/\n");
  command.directory = "/no/such/folder";
  const Error error = error_of([&] { run(command); });
  CHECK(error.code() == Code::missing);
  CHECK(error.message() == "cannot run /bin/sh in /no/such/folder: No such file or directory");
}

TEST_CASE("the environment is inherited, added to and cut", "[subprocess]") {
  ::setenv("PORTER_ONE", "1", 1);
  ::setenv("PORTER_TWO", "2", 1);
  Command command = shell("echo \"${PORTER_ONE-none} ${PORTER_TWO-none} ${PORTER_THREE-none}\"");
  command.set_environment = {{"PORTER_TWO", "zwei = 2"}, {"PORTER_THREE", ""}};
  command.unset_environment = {"PORTER_ONE"};
  CHECK(run(command).output == "none zwei = 2 \n");
  ::unsetenv("PORTER_ONE");
  ::unsetenv("PORTER_TWO");
}

TEST_CASE("input is fed whole, and a program may leave it unread", "[subprocess]") {
  ::signal(SIGPIPE, SIG_IGN);
  Command command = command_of({"cat"});
  command.input = std::string(1U << 20U, 'i');
  CHECK(run(command).output == command.input);
  command.arguments = {"true"};
  CHECK(run(command).ok());
  CHECK(run(command_of({"cat"})).output.empty());  // no input is an empty one
}

TEST_CASE("output beyond the limit is cut, and the program runs on", "[subprocess]") {
  Command command = shell("head -c 300000 /dev/zero; echo end >&2");
  command.output_limit = 1000;
  const CommandResult result = run(command);
  CHECK(result.ok());
  CHECK(result.output.size() == 1000);
  CHECK(result.errors == "end\n");
}

TEST_CASE("the last words of a program that ends at once are kept", "[subprocess]") {
  const std::string much(60'000, 'x');  // less than a pipe holds: all of it is written before the end
  for (int i = 0; i < 20; ++i)
    CHECK(run(command_of({"printf", "%s", much})).output.size() == much.size());
}

TEST_CASE("a child has default signals, no signal blocked, and a process group of its own", "[subprocess]") {
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &set, &before);
  const std::string status = run(command_of({"cat", "/proc/self/status"})).output;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  CHECK(status.find("SigBlk:\t0000000000000000") != std::string::npos);
  CHECK(status.find("SigIgn:\t0000000000000000") != std::string::npos);
  const auto words = split(trim(run(shell("echo $$ $(cut -d' ' -f5 /proc/$$/stat)")).output), ' ');
  REQUIRE(words.size() == 2);
  CHECK(words[0] == words[1]);
}

TEST_CASE("a child gets no descriptor but its own three and those it is given", "[subprocess]") {
  const FdPair given = make_pipe();
  const FdPair kept = make_pipe();
  const auto probe = [](int fd) {
    return "[ -e /proc/self/fd/" + std::to_string(fd) + " ] && echo yes || echo no";
  };
  Command command = shell(probe(given.first.get()) + "; " + probe(kept.first.get()));
  command.inherited = {given.first.get()};
  CHECK(run(command).output == "yes\nno\n");
}

TEST_CASE("the deadline ends the whole group", "[subprocess]") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "pid";
  const Command command = shell("sleep 600 & echo $! > " + file.string() + "; wait");
  const Error error = error_of([&] { run_command(command, Deadline::in(300ms), {}); });
  CHECK(error.code() == Code::timeout);
  CHECK(error.message() == "/bin/sh: still running at its deadline");
  if (!std::filesystem::exists(file)) return;  // a very slow machine: ended before it began
  const pid_t grandchild = pid_in(file);
  CHECK(comes_true([&] { return is_gone(grandchild); }));
}

TEST_CASE("cancelling ends the whole group", "[subprocess]") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "pid";
  const CancelToken cancel;
  pid_t grandchild = -1;
  std::thread other([&] {
    comes_true([&] { return std::filesystem::exists(file) && read_file(file).ends_with('\n'); });
    cancel.cancel();
  });
  CHECK_THROWS_AS(run_command(shell("sleep 600 & echo $! > " + file.string() + "; wait"), soon(), cancel),
                  Interrupted);
  other.join();
  grandchild = pid_in(file);
  CHECK(comes_true([&] { return is_gone(grandchild); }));
}

TEST_CASE("a program that closes its outputs still has to end in time", "[subprocess]") {
  const Command command = shell("exec >&- 2>&-; exec sleep 600");
  CHECK(error_of([&] { run_command(command, Deadline::in(200ms), {}); }).code() == Code::timeout);
  const CancelToken cancel;
  std::thread other([&] {
    std::this_thread::yield();
    cancel.cancel();
  });
  CHECK_THROWS_AS(run_command(command, soon(), cancel), Interrupted);
  other.join();
}

TEST_CASE("a service that a program leaves behind does not hold it up, and lives on", "[subprocess]") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "pid";
  // It keeps both pipes open for ten minutes.
  const CommandResult result =
      run(shell("setsid sleep 600 & echo $! > " + file.string() + "; echo started; exit 4"));
  CHECK(result.status == 4);
  CHECK(result.output == "started\n");
  const pid_t service = pid_in(file);
  CHECK_FALSE(is_gone(service));
  ::kill(service, SIGKILL);
}

TEST_CASE("a service that never stops writing does not hold its program up either", "[subprocess]") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "pid";
  const CommandResult result = run(shell("yes & echo $! > " + file.string() + "; exit 0"));
  CHECK(result.ok());
  const pid_t service = pid_in(file);
  CHECK(comes_true([&] { return is_gone(service); }));  // its next line has no reader
}

TEST_CASE("a child that is dropped is ended and reaped", "[subprocess]") {
  pid_t pid = -1;
  {
    const Child child = Child::start(command_of({"sleep", "600"}), {});
    pid = child.pid();
    CHECK(::kill(pid, 0) == 0);
  }
  CHECK(::kill(pid, 0) != 0);
  CHECK(errno == ESRCH);
}

TEST_CASE("a running child gives nothing yet, and its end once", "[subprocess]") {
  Child child = Child::start(command_of({"sleep", "600"}), {});
  CHECK_FALSE(child.try_wait());
  child.signal_group(SIGTERM);
  std::optional<CommandResult> result;
  CHECK(comes_true([&] { return (result = child.try_wait()).has_value(); }));
  CHECK(result->signal == SIGTERM);
  CHECK(child.pid() == -1);
}
