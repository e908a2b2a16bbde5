#pragma once
// What happens in a run, as values: the one stream that the terminal view, --json, the log file and later the
// hub read. The engine emits them into a Sink and knows no listener. Field names are a public format
// (docs/events.md): add fields, never rename one. Plain values; any thread may make them.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace porter::event {

struct RunStarted {
  std::string run_id;
  std::string command;  // "deploy"
  std::string project;
  std::string config;
  std::string ref;
  std::string message;  // -m
  std::string user;     // who runs it, on which machine: "ada@laptop"
  std::vector<std::string> hosts;
  std::vector<std::string> modules;
};

// A module's source is checked out.
struct ModulePinned {
  std::string module;
  std::string version;  // "1a2b3c4d (branch main)"
  std::string commit;
};

struct HostConnected {
  std::string host;
  std::string address;  // "deploy@10.0.0.7:22", "local"
  double seconds = 0;
};

// What a deploy would do, or is about to do, for a module on a host.
struct Planned {
  std::string module;
  std::string host;
  bool unchanged = false;
  std::uint64_t files_new = 0;
  std::uint64_t files_changed = 0;
  std::uint64_t files_deleted = 0;
  std::uint64_t bytes_to_send = 0;          // upper bound: a delta is not known before both sides have met
  std::vector<std::string> paths;           // "- path", "~ path", "+ path"
  std::string version;                      // what would be deployed: "1a2b3c4d (branch main)"
  std::string live;                         // release id that is live, "" for none
  std::vector<std::string> config_changes;  // which settings of config files change
  std::vector<std::string> handlers;        // "SIG_POST_ACTIVATE: plugin acme.audit 1.0", in firing order
  bool own_procedure = false;  // a handler replaced SIG_DEPLOY: the module does not wait for the others
};

// A plugin's or hook's handler begins. What has started and not fired when a run breaks off was running then.
struct SignalStarted {
  std::string signal;
  std::string module;
  std::string host;     // "" in module scope
  std::string handler;  // as in SignalFired
  std::string who;      // for people: "plugin acme.audit 1.0"
};

// A handler ended.
struct SignalFired {
  std::string signal;
  std::string module;
  std::string host;     // "" in module scope
  std::string handler;  // who ran: "porter-admin", plugin name
  double seconds = 0;
  bool failed = false;  // it threw
};

struct Progress {
  std::string module;
  std::string host;
  std::string phase;        // "sending"
  std::uint64_t done = 0;   // bytes
  std::uint64_t total = 0;  // bytes
};

enum class Level : std::uint8_t { debug, info, warning };

// Words to the people who watch: from a plugin, a build, or the run itself.
struct Talk {
  Level level = Level::info;
  std::string source;  // plugin name, "build", or "" for the run itself
  std::string module;
  std::string host;
  std::string text;
};

// A line of result, for stdout.
struct Output {
  std::string text;
};

enum class Outcome : std::uint8_t {
  deployed,
  unchanged,
  failed,
  rolled_back,
  not_activated,
  rollback_failed
};

struct ModuleFinished {
  std::string module;
  std::string host;
  Outcome outcome = Outcome::deployed;
  std::string release_id;
  std::string version;
  std::uint64_t files_whole = 0;
  std::uint64_t files_delta = 0;
  std::uint64_t files_kept = 0;
  std::uint64_t files_deleted = 0;
  std::uint64_t bytes_sent = 0;  // on the wire, both directions, before encryption
  std::uint64_t bytes_received = 0;
  std::uint64_t tree_bytes = 0;
  double seconds = 0;
};

// What runs where: `status`.
struct SiteStatus {
  std::string module;
  std::string host;
  std::string path;
  std::string release_id;  // "" when nothing is live
  std::string version;
  std::string commit;
  std::string config;
  std::string made;  // ISO, UTC
  std::string user;
  std::string message;
  std::uint64_t drift_changed = 0;
  std::uint64_t drift_missing = 0;
  std::vector<std::string> notes;  // for people: frozen, locked, not committed, damaged, …
};

// A sealed release: `releases`.
struct ReleaseFound {
  std::string module;
  std::string host;
  std::string release_id;
  std::string version;
  std::string commit;
  std::string made;  // ISO, UTC
  std::string user;
  std::string message;
  bool current = false;
  bool pinned = false;
  std::string bad;  // why it is not offered; "" for a good one
};

// A line of a site's history.
struct HistoryFound {
  std::string module;
  std::string host;
  std::string when;    // ISO, UTC
  std::string action;  // "commit", "rollback", "revert"
  std::string release_id;
  std::string previous;
  std::string run_id;
  std::string user;
  std::string version;
  std::string config;
  std::string message;
};

// An entry of the live tree that is not as it was sealed: `diff`.
struct DriftFound {
  std::string module;
  std::string host;
  std::string kind;  // "changed", "missing", "added"
  std::string path;
  std::string what;  // of a changed one: "content", "mode 0600, was 0644", …
};

// One thing that `doctor` looked at.
struct Checked {
  std::string host;  // "": this machine
  std::string module;
  std::string subject;  // "ssh", "disk", …
  std::string verdict;  // "ok", "warning", "problem"
  std::string text;
  std::string fix;  // "" when there is nothing to mend
};

// One formatted error. `host` and `module` are "" when it concerns the whole run.
struct Failure {
  std::string host;
  std::string module;
  int code = 0;  // base::Code
  std::string text;
};

// Asked of the person at the terminal; the supervisor answers.
enum class QuestionKind : std::uint8_t { confirm, text, secret };
struct Question {
  std::uint64_t id = 0;
  QuestionKind kind = QuestionKind::confirm;
  std::string text;
};

// The last event of a run; a worker that ends without it crashed.
struct RunFinished {
  int exit_code = 0;
  std::string cause;  // "" when all is well, else the first failure's text
  double seconds = 0;
  std::string log;     // where the run's log is, "" for none
  std::string resume;  // the command that goes on with the run, "" when there is nothing to go on with
};

using Event = std::variant<RunStarted, ModulePinned, HostConnected, Planned, SignalStarted, SignalFired,
                           Progress, Talk, Output, ModuleFinished, SiteStatus, ReleaseFound, HistoryFound,
                           DriftFound, Checked, Failure, Question, RunFinished>;

// The name of an event in JSON: "run_started", ….
std::string name_of(const Event& event);
std::string name_of(Outcome outcome);

class Sink {
 public:
  virtual ~Sink() = default;
  // May be called from any thread; must not throw. Order per thread is kept.
  virtual void handle(const Event& event) noexcept = 0;
};

}  // namespace porter::event
