#pragma once
// Errors as values that travel by exception: what failed, where, what to do about it, and the trail of what
// was being done. Thrown inside; turned into a value at every door (C callback, wire, thread, plugin);
// formatted once, at the top, by format_error(). Interrupted is deliberately no Error, so that ordinary catch
// blocks let it pass. Values are independent of each other and may be copied between threads.

#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace porter::base {

// The number is part of the interface (docs/errors.md): never reuse one, never change a meaning.
enum class Code : int {
  internal = 100,
  interrupted = 101,  // the person at the terminal, or a signal, ended the run
  usage = 200,        // the command line
  ini_syntax = 210,   // a project file cannot be read as INI
  unknown_section = 211,
  unknown_key = 212,
  bad_value = 213,
  missing = 214,  // something required is not there: file, module, host, ref
  cycle = 215,
  unsupported = 216,  // known by name, not yet supported
  source = 300,       // checkout or build failed
  unreachable = 400,  // no connection, or it broke
  host_key = 401,
  authentication = 402,
  become = 403,    // sudo refused, or wants a password
  agent = 410,     // the agent could not be installed or started
  protocol = 411,  // the peer said something that is not allowed here
  timeout = 412,
  remote = 420,  // a command on the target failed
  locked = 430,
  refused = 440,  // target state forbids it: foreign folder, newer format, too many deletions
  no_space = 441,
  frozen = 442,      // this config of the site is frozen
  drifted = 443,     // somebody changed files that would be overwritten
  stale_plan = 444,  // target or source changed since a plan was made or a rollback chosen
  io = 450,
  plugin_refused = 500,  // not loaded
  plugin_failed = 501,   // loaded, and failed
  report = 600,          // the picked-version report could not be delivered
};

// Where in a file of the user's something stands. line is 1-based; 0 means the whole file.
struct Location {
  std::string file;
  int line = 0;
};

class Error : public std::exception {
 public:
  Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  // Builders, for use in a throw expression: throw Error(Code::missing, "…").at(file, 3).hint("…").
  Error&& at(std::string file, int line = 0) && {
    where_ = {std::move(file), line};
    return std::move(*this);
  }
  Error&& at(Location where) && {
    where_ = std::move(where);
    return std::move(*this);
  }
  Error&& hint(std::string text) && {
    hint_ = std::move(text);
    return std::move(*this);
  }

  // Adds one "while …" line, innermost first. Called by each layer that knows an object worth naming.
  void add_trail(std::string text) { trail_.push_back(std::move(text)); }

  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  const std::string& hint_text() const { return hint_; }
  const Location& where() const { return where_; }
  const std::vector<std::string>& trail() const { return trail_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  Code code_;
  std::string message_;
  std::string hint_;
  Location where_;
  std::vector<std::string> trail_;
};

// Several errors found in one go (project files are checked whole, not up to the first mistake). Never empty.
class Errors : public std::exception {
 public:
  explicit Errors(std::vector<Error> all) : all_(std::move(all)) {}
  const std::vector<Error>& all() const { return all_; }
  const char* what() const noexcept override { return all_.front().what(); }

 private:
  std::vector<Error> all_;
};

// The user or the supervisor asked the run to end.
class Interrupted : public std::exception {
 public:
  const char* what() const noexcept override { return "interrupted"; }
};

// The error for a failed system call: subject, then the reason from errno; ENOSPC and EDQUOT become no_space.
Error system_error(std::string_view subject, int errno_value);
[[noreturn]] void throw_errno(std::string_view subject);

// "error[P212] root/root.ini:12: unknown key …", then "  while …" lines and "hint: …". No newline at the end.
// Everything that may have come from outside is made printable.
std::string format_error(const Error& error);

// Runs work(); an Error that leaves it gets `doing` added to its trail.
template <class Work>
auto while_doing(std::string_view doing, Work&& work) -> decltype(work()) {
  try {
    return work();
  } catch (Error& error) {
    error.add_trail(std::string(doing));
    throw;
  }
}

}  // namespace porter::base
