#pragma once
// The services a Module offers, by versioned id. A service's table of virtual functions never changes; what
// is new gets a new id. Every call may be made from the handler's thread only; calls that wait for the target
// throw a std::exception on a failure, at the step's deadline and when the run is being stopped.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace porter {

// Who and what this deploy is about.
class Context {
 public:
  static constexpr std::string_view kId = "porter.Context/1";
  virtual ~Context() = default;
  virtual std::string project() const = 0;
  virtual std::string module() const = 0;
  virtual std::string module_directory() const = 0;  // on this machine; absolute
  virtual std::string host() const = 0;              // the project's name for it; "" in module scope
  virtual std::string config() const = 0;            // "" when none was given
  virtual std::string ref() const = 0;               // -r/--release: "stable"
  virtual std::string version() const = 0;           // "1a2b3c4d (branch release/0.1.2)"
  virtual std::string commit() const = 0;            // full id, "" when the source has none
  virtual std::string run_id() const = 0;
  virtual std::string release_id() const = 0;
  virtual std::string layout() const = 0;  // "releases" or "inplace"
  // The private checkout on this machine, while SIG_SOURCE_PREPARE runs and after; absolute. Only a deploy
  // has one: in a rollback, and in a deploy that `resume` goes on with, this throws.
  virtual std::string source_directory() const = 0;
  virtual bool forced() const = 0;  // --force names this module
  // Seconds since the epoch when this run started, with microseconds.
  virtual double started() const = 0;
  // Every effective setting of this module on this host: section, option, text. Secrets are masked.
  virtual std::map<std::string, std::map<std::string, std::string>> effective_settings() const = 0;
};

struct RunResult {
  int status = 0;  // exit status; -1 when a signal ended it
  std::string output;
  std::string errors;
};

enum class Privilege {
  user,  // as whom the connection was made
  sudo,  // through sudo -n
};

// The target of this deploy. Programs are argument lists; no shell reads them. Paths are absolute, or
// relative to destpath(); without a directory a program begins in the agent's own.
class Target {
 public:
  static constexpr std::string_view kId = "porter.Target/1";
  virtual ~Target() = default;

  // Runs a program and gives back what it said. A failing program is a result; throws when it cannot be
  // started.
  virtual RunResult try_run(const std::vector<std::string>& arguments, const std::string& directory,
                            Privilege privilege, const std::string& input) = 0;
  // The target's own idea of itself: "hostname", "ipv4", "user", "home", "machine", "system".
  virtual std::map<std::string, std::string> facts() = 0;
  virtual bool exists(const std::string& path) = 0;
  virtual bool is_link(const std::string& path) = 0;
  // The content of a file, at most `limit` bytes; throws beyond.
  virtual std::string read(const std::string& path, std::uint64_t limit) = 0;
  // Replaces a file in one step; mode 0 keeps the mode it has (0644 for a new one). Folders above it are
  // made.
  virtual void write(const std::string& path, std::string_view content, unsigned mode) = 0;
  // Copies a file of this machine, or a folder with all in it, mode kept.
  virtual void upload(const std::string& local, const std::string& path) = 0;
  virtual void remove(const std::string& path) = 0;  // a file or link; no error when it is not there

  // try_run() that throws when the program fails, with what it said.
  RunResult run(const std::vector<std::string>& arguments, const std::string& directory = "",
                Privilege privilege = Privilege::user) {
    RunResult result = try_run(arguments, directory, privilege, "");
    if (result.status != 0) fail(arguments, result);
    return result;
  }
  // Replaces prefix+key+suffix by the value, for every entry, in one file; bytes are taken literally.
  void replace_in_file(const std::string& path, const std::map<std::string, std::string>& values,
                       std::string_view prefix = "__", std::string_view suffix = "__");

 private:
  [[noreturn]] static void fail(const std::vector<std::string>& arguments, const RunResult& result);
};

// What a deploy leaves outside of its tree, and how that is taken back. All of it is noted on the target's
// disk before it is done, so it is taken back also when the process that said so is gone: by a failure, by
// the next deploy of the site, by `resume`; without the plugin. Only for signals of a host. A program and its
// directory are given as to Target.
class Undo {
 public:
  static constexpr std::string_view kId = "porter.Undo/1";
  virtual ~Undo() = default;
  // A file at an absolute path outside of the tree that comes and goes with the release. It is kept aside and
  // put in place after the SIG_PRE_ACTIVATE handlers; what was there comes back when the deploy fails, and
  // when a rollback leaves the release. Mode 0 keeps the mode of what is there (0644 for a new file).
  virtual void install(std::string_view content, const std::string& path, unsigned mode) = 0;
  // A program to run on the target when the deploy is taken back: in reverse order, among the files above and
  // the switch. Say it before the step that it undoes. It may run twice, and when the step was never done.
  // Forgotten once the release is committed.
  virtual void on_undo(const std::vector<std::string>& arguments, const std::string& directory,
                       Privilege privilege, const std::string& input) = 0;

  void on_undo(const std::vector<std::string>& arguments) { on_undo(arguments, "", Privilege::user, ""); }
};

// What happens to the stage of a default send, before SIG_SOURCE_SEND is over.
class Sender {
 public:
  static constexpr std::string_view kId = "porter.Sender/1";
  virtual ~Sender() = default;
  // Sends the composed tree into destpath(): what the default SIG_SOURCE_SEND handler does.
  virtual void send() = 0;
  // Sends a folder of this machine instead of the composed tree.
  virtual void send_folder(const std::string& local_folder) = 0;
  // Only for a handler that replaces SIG_DEPLOY: the whole default procedure for this module.
  virtual void run_default() = 0;
};

enum class LogLevel { debug, info, warning };

// Words to the people who watch the run; shown with the plugin's and the host's name.
class Log {
 public:
  static constexpr std::string_view kId = "porter.Log/1";
  virtual ~Log() = default;
  virtual void write(LogLevel level, std::string_view text) = 0;
  // A line of result for stdout (the picked-version report of a run without a server, say).
  virtual void print(std::string_view text) = 0;
};

}  // namespace porter

#include <porter/services-impl.h>
