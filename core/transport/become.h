#pragma once
// Running as another user on the target, through sudo. Pure functions.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"

namespace porter::transport {

// `sudo -n -u USER -- …`: never asks. Throws Error(bad_value) for a user name that is not allowed.
std::vector<std::string> become_without_password(const std::string& user,
                                                 const std::vector<std::string>& arguments);

// `sudo -S -p '' -u USER -- …`: the password and a newline are the first bytes on its stdin, never an
// argument. -k makes it wait for them even when sudo remembers an earlier password.
std::vector<std::string> become_with_password(const std::string& user,
                                              const std::vector<std::string>& arguments);

// What a failed start through sudo says on stderr, as an Error(become) with what to do about it; nothing when
// the text is not sudo's. `where` names the host, `ran` the program.
std::optional<base::Error> explain_become_failure(std::string_view where, const std::string& user,
                                                  const std::string& program, std::string_view errors);

}  // namespace porter::transport
