#include "core/cli/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <string>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/text.h"
#include "core/cli/signal_stream.h"

namespace porter::cli {
namespace {

// Echo off while it lives.
class NoEcho {
 public:
  explicit NoEcho(int fd) : fd_(fd), changed_(::tcgetattr(fd, &before_) == 0) {
    if (!changed_) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(fd_, TCSAFLUSH, &quiet);
  }
  ~NoEcho() {
    if (changed_) ::tcsetattr(fd_, TCSAFLUSH, &before_);
  }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;

 private:
  int fd_;
  termios before_{};
  bool changed_;
};

// The terminal, and all that may end the wait for an answer.
struct Desk {
  int tty;
  int signals;
  int asker;
};

bool has_input(const Desk& desk) {
  for (;;) {
    std::array<pollfd, 3> fds = {pollfd{desk.tty, POLLIN, 0}, pollfd{desk.signals, POLLIN, 0},
                                 pollfd{desk.asker, POLLRDHUP, 0}};
    const int ready = ::poll(fds.data(), fds.size(), -1);
    if (ready < 0 && errno != EINTR) base::throw_errno("poll");
    if (ready > 0) return fds[1].revents == 0 && fds[2].revents == 0;
  }
}

std::optional<std::string> read_line(const Desk& desk) {
  std::string line;
  std::byte one{};
  while (has_input(desk) && base::read_some(desk.tty, {&one, 1}) == 1) {
    if (one == std::byte{'\n'}) return line;
    line += static_cast<char>(one);
  }
  return std::nullopt;
}

std::optional<std::string> ask(const Desk& desk, const event::Question& question) {
  const bool secret = question.kind == event::QuestionKind::secret;
  std::optional<std::string> answer;
  {
    // Off before the question is seen, so that a quick answer is not echoed either.
    const std::optional<NoEcho> quiet =
        secret ? std::optional<NoEcho>(std::in_place, desk.tty) : std::nullopt;
    base::write_all(desk.tty, base::printable_lines(question.text));
    answer = read_line(desk);
  }
  if (secret || !answer) base::write_all(desk.tty, "\n");
  return answer;
}

}  // namespace

std::optional<base::Secret> ask_at_terminal(const event::Question& question, int asker) {
  const base::UniqueFd tty(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  if (!tty) return std::nullopt;
  std::optional<std::string> answer;
  try {
    const SignalStream signals;
    answer = ask({tty.get(), signals.descriptor(), asker}, question);
  } catch (const base::Error&) {
    return std::nullopt;  // the terminal went away
  }
  if (!answer) return std::nullopt;
  if (question.kind != event::QuestionKind::confirm) return base::Secret(std::move(*answer));
  const std::string word = base::lower(base::trim(*answer));
  if (word != "y" && word != "yes") return std::nullopt;
  return base::Secret("yes");
}

}  // namespace porter::cli
