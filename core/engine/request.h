#pragma once
// What the user asked for, as one value: made by the command line, sent to the worker, read by the engine.
// Validated against the project by whoever acts on it.

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace porter::engine {

enum class Action {
  deploy,
  run,
  settle,
  resume,
  rollback,
  status,
  releases,
  history,
  diff,
  freeze,
  unfreeze,
  doctor,
};
// As it is typed: "deploy".
std::string name_of(Action action);
// Whether it only tells what is there: no log is kept, and nothing is said but that.
bool only_looks(Action action);
// Whether plugins and hooks take part.
bool loads_handlers(Action action);

struct Request {
  Action action = Action::deploy;
  std::string run_id;
  std::filesystem::path directory;   // where the user stands; the project is here or above
  std::vector<std::string> modules;  // empty: all
  bool with_dependencies = true;
  std::vector<std::string> hosts;  // --host patterns
  std::string config;
  std::string ref = "stable";
  bool force_all = false;
  std::vector<std::string> force;  // exact module names
  bool dry_run = false;
  bool adopt = false;
  bool yes = false;          // no confirmation is asked
  bool interactive = false;  // somebody is there to answer questions
  std::string message;       // -m
  std::uint32_t lock_wait_seconds = 0;
  bool overwrite_drift = false;     // inplace: deploy over hand edits
  std::string plan_out;             // plan --out FILE, as typed
  std::string plan_file;            // deploy --plan FILE
  bool detailed_exit_code = false;  // plan, diff: 3 when there is something
  std::string to_release;           // rollback --to
  std::string mark_release;         // releases --pin, --unpin, --good ID
  std::string mark;                 // "pin", "unpin", "good"
  std::uint32_t limit = 0;          // history: lines a site
  std::string known_hosts;          // --known-hosts FILE
  std::vector<std::string> debug;   // -d: "stats"
  std::vector<std::string> plugin_path;
  std::map<std::string, std::string> plugin_arguments;  // given on the command line; "" for a flag
  std::vector<std::string> command;                     // run -- CMD
};

// Bytes, not text; what is in the strings comes back as it was.
std::string encode(const Request& request);
// Throws Error(protocol).
Request decode_request(std::string_view text);

// "20261121T070509Z-1f2e": sorts by time; the last four digits are random and end every release id of the
// run.
std::string make_run_id();
// "<UTC>-<commit8>-<run4>", the same on all hosts.
std::string make_release_id(const std::string& run_id, const std::string& commit);

}  // namespace porter::engine
