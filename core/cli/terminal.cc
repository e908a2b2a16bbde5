#include "core/cli/terminal.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <string>

#include "core/base/error.h"
#include "core/base/fd.h"
#include "core/base/text.h"

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

std::optional<std::string> read_line(int fd) {
  std::string line;
  std::byte one{};
  while (base::read_some(fd, {&one, 1}) == 1) {
    if (one == std::byte{'\n'}) return line;
    line += static_cast<char>(one);
  }
  return std::nullopt;
}

std::optional<std::string> ask(int tty, const event::Question& question) {
  base::write_all(tty, base::printable_lines(question.text));
  if (question.kind != event::QuestionKind::secret) return read_line(tty);
  std::optional<std::string> answer;
  {
    const NoEcho quiet(tty);
    answer = read_line(tty);
  }
  base::write_all(tty, "\n");
  return answer;
}

}  // namespace

std::optional<base::Secret> ask_at_terminal(const event::Question& question) {
  const base::UniqueFd tty(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  if (!tty) return std::nullopt;
  std::optional<std::string> answer = ask(tty.get(), question);
  if (!answer) return std::nullopt;
  if (question.kind != event::QuestionKind::confirm) return base::Secret(*answer);
  const std::string word = base::lower(base::trim(*answer));
  if (word != "y" && word != "yes") return std::nullopt;
  return base::Secret("yes");
}

}  // namespace porter::cli
