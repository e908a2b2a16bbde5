// Questions at a real terminal: a pseudo terminal of its own for each, with a child that asks.
#include "core/cli/terminal.h"

#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "tests/support/catch.h"

using namespace porter;
using event::QuestionKind;

namespace {

constexpr const char* kNothing = "(nothing)";

// A child that asks one question and writes the answer into a pipe.
class Asking {
 public:
  explicit Asking(QuestionKind kind) : answer_(base::make_pipe()), line_(base::make_socket_pair()) {
    int master = -1;
    pid_ = ::forkpty(&master, nullptr, nullptr, nullptr);
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) ask_and_exit(kind);
    master_.reset(master);
    answer_.second.reset();
    line_.first.reset();
    read_until("Well? ");
  }
  ~Asking() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Asking(const Asking&) = delete;
  Asking& operator=(const Asking&) = delete;

  void type(std::string_view text) { base::write_all(master_.get(), text); }
  void hang_up_line() { line_.second.reset(); }

  // How the child ended, as waitpid(2) says it; all that was shown is in shown() then.
  int end() {
    read_until("(never shown)");
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return status;
  }
  std::string answer() { return base::read_to_end(answer_.first.get(), 1000); }
  const std::string& shown() const { return shown_; }
  bool echoes() const {
    termios now{};
    REQUIRE(::tcgetattr(master_.get(), &now) == 0);
    return (now.c_lflag & ECHO) != 0;
  }

 private:
  [[noreturn]] void ask_and_exit(QuestionKind kind) {
    line_.second.reset();
    const auto answer = cli::ask_at_terminal({1, kind, "Well? "}, line_.first.get());
    base::write_all(answer_.second.get(), answer ? answer->reveal() : kNothing);
    ::_exit(0);
  }

  void read_until(const std::string& text) {
    std::array<char, 256> buffer;
    while (shown_.find(text) == std::string::npos) {
      const ssize_t got = ::read(master_.get(), buffer.data(), buffer.size());
      if (got <= 0) return;  // a terminal without anybody at its other end gives EIO
      shown_.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }

  base::FdPair answer_;
  base::FdPair line_;
  base::UniqueFd master_;
  pid_t pid_ = -1;
  std::string shown_;
};

}  // namespace

TEST_CASE("a secret is not echoed, and the terminal is as before", "[terminal]") {
  Asking asking(QuestionKind::secret);
  CHECK_FALSE(asking.echoes());
  asking.type("hunter2\n");
  CHECK(asking.answer() == "hunter2");
  CHECK(asking.end() == 0);
  CHECK(asking.shown().find("hunter2") == std::string::npos);
  CHECK(asking.shown() == "Well? \r\n");
  CHECK(asking.echoes());
}

TEST_CASE("a text is echoed", "[terminal]") {
  Asking asking(QuestionKind::text);
  asking.type("some words\n");
  CHECK(asking.answer() == "some words");
  asking.end();
  CHECK(asking.shown().find("some words") != std::string::npos);
}

TEST_CASE("only yes confirms", "[terminal]") {
  const auto [typed, answer] = GENERATE(table<std::string, std::string>({{"y\n", "yes"},
                                                                         {" YES \n", "yes"},
                                                                         {"\n", kNothing},
                                                                         {"n\n", kNothing},
                                                                         {"yeah\n", kNothing},
                                                                         {"\x04", kNothing}}));
  Asking asking(QuestionKind::confirm);
  asking.type(typed);
  CHECK(asking.answer() == answer);
}

TEST_CASE("Ctrl-C at a secret ends the program with the terminal as before", "[terminal]") {
  Asking asking(QuestionKind::secret);
  asking.type("half\x03");
  const int status = asking.end();
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGINT);
  CHECK(asking.echoes());
  CHECK(asking.answer().empty());
}

TEST_CASE("a question ends when nobody waits for its answer any more", "[terminal]") {
  Asking asking(QuestionKind::secret);
  asking.hang_up_line();
  CHECK(asking.answer() == kNothing);
  CHECK(asking.end() == 0);
  CHECK(asking.echoes());
}
