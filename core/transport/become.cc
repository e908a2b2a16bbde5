#include "core/transport/become.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/text.h"
#include "core/transport/ssh_target.h"

namespace porter::transport {
namespace {

std::vector<std::string> prefixed(std::vector<std::string> prefix, const std::string& user,
                                  const std::vector<std::string>& arguments) {
  check_user_name(user);
  prefix.insert(prefix.end(), {"-u", user, "--"});
  prefix.insert(prefix.end(), arguments.begin(), arguments.end());
  return prefix;
}

struct Refusal {
  std::string_view said;  // part of a line of sudo's or the shell's, lower case
  std::string_view reason;
  std::string_view hint;  // {user} and {program} are filled in
};

// Texts of sudo 1.8 to 1.9.16 and sudo-rs, and of shells that do not find sudo. The first match counts.
constexpr std::array<Refusal, 12> refusals = {{
    {"password is required", "sudo wants a password",
     "allow it without one: in sudoers, `NAME ALL=({user}) NOPASSWD: {program}`"},
    {"authentication required", "sudo wants a password",
     "allow it without one: in sudoers, `NAME ALL=({user}) NOPASSWD: {program}`"},
    {"terminal is required", "sudo wants to ask for a password on a terminal",
     "allow it without one: in sudoers, `NAME ALL=({user}) NOPASSWD: {program}`"},
    {"must have a tty", "sudo is set up to need a terminal", "in sudoers, `Defaults:NAME !requiretty`"},
    {"incorrect password", "sudo refused the password", "check the password"},
    {"is not in the sudoers file", "this login may not use sudo", "add it to sudoers, or log in as {user}"},
    {"is not allowed to", "sudo does not allow {program} as {user} to this login",
     "extend its rule in sudoers, or log in as {user}"},
    {"may not run sudo", "this login may not use sudo", "add it to sudoers, or log in as {user}"},
    {"unknown user", "the user {user} does not exist there", "check `become`"},
    {"no new privileges", "sudo cannot gain rights there (a container without new privileges)",
     "log in as {user} instead of `become`"},
    {"sudo: not found", "sudo is not installed", "install sudo there, or log in as {user}"},
    {"sudo: command not found", "sudo is not installed", "install sudo there, or log in as {user}"},
}};

std::string fill(std::string_view text, const std::string& user, const std::string& program) {
  return fmt::format(fmt::runtime(text), fmt::arg("user", base::printable(user)),
                     fmt::arg("program", base::printable(program)));
}

// Whether the line is one of sudo's own or of a shell that failed to find it.
bool speaks_of_sudo(std::string_view line) {
  return line.find("sudo") != std::string_view::npos || line.starts_with("sorry, user ");
}

}  // namespace

std::vector<std::string> become_without_password(const std::string& user,
                                                 const std::vector<std::string>& arguments) {
  return prefixed({"sudo", "-n"}, user, arguments);
}

std::vector<std::string> become_with_password(const std::string& user,
                                              const std::vector<std::string>& arguments) {
  return prefixed({"sudo", "-k", "-S", "-p", ""}, user, arguments);
}

std::optional<base::Error> explain_become_failure(std::string_view where, const std::string& user,
                                                  const std::string& program, std::string_view errors) {
  for (const std::string& line : base::split(errors, '\n')) {
    const std::string said = base::lower(line);
    if (!speaks_of_sudo(said)) continue;
    for (const Refusal& refusal : refusals) {
      if (said.find(refusal.said) == std::string::npos) continue;
      return base::Error(base::Code::become,
                         fmt::format("{}: cannot become {}: {} ({})", where, base::printable(user),
                                     fill(refusal.reason, user, program), base::printable(line)))
          .hint(fill(refusal.hint, user, program));
    }
  }
  return std::nullopt;
}

}  // namespace porter::transport
