#include "core/cli/describe.h"

#include "core/event/codec.h"
#include "tests/support/catch.h"

using namespace porter;
using cli::Detail;
using event::Event;

namespace {

using Line = std::optional<std::string>;

struct Expected {
  Event event;
  Line quiet;
  Line normal;
  Line verbose;
};

event::ModuleFinished finished(event::Outcome outcome, std::uint64_t deleted = 0) {
  event::ModuleFinished end{"web", "a", outcome, "id", "1a2b (branch main)", 1, 2, 3, deleted,
                            2048,  17,  3 << 20, 1.5};
  return end;
}

}  // namespace

TEST_CASE("every event has its words, and only where somebody wants them", "[describe]") {
  const Line none;
  const std::vector<Expected> all = {
      {event::RunStarted{
           "r1", "deploy", "My \x1b project", "testing", "stable", "", "ada@here", {"a", "b"}, {"m", "n"}},
       none, "deploy of \"My \\x1b project\", config testing, m, n to a, b",
       "deploy of \"My \\x1b project\", config testing, m, n to a, b (run r1, by ada@here)"},
      {event::RunStarted{"r1", "deploy", "P", "", "stable", "", "u@h", {"a"}, {"m"}}, none,
       "deploy of \"P\", m to a", "deploy of \"P\", m to a (run r1, by u@h)"},
      {event::ModulePinned{"web", "1a2b (tag 1.0)", "1a2b"}, none, "web: 1a2b (tag 1.0)",
       "web: 1a2b (tag 1.0)"},
      {event::HostConnected{"a", "u@10.0.0.7:22", 0.5}, none, none,
       "a: connected to u@10.0.0.7:22 in 0.50 s"},
      {event::Planned{"web", "a", true, 0, 0, 0, 0, {}, "", "", {}, {}, false}, none, none, none},
      {event::SignalStarted{"SIG_DEPLOY_START", "web", "a", "acme.audit", "plugin acme.audit 1.0"}, none,
       none, "web on a: SIG_DEPLOY_START goes to plugin acme.audit 1.0"},
      {event::SignalFired{"SIG_DEPLOY_START", "web", "a", "acme.audit", 0.1}, none, none,
       "web on a: SIG_DEPLOY_START handled by acme.audit in 0.10 s"},
      {event::SignalFired{"SIG_DEPLOY_START", "web", "a", "acme.audit", 0.1, true}, none, none,
       "web on a: SIG_DEPLOY_START failed in acme.audit in 0.10 s"},
      {event::SignalFired{"SIG_SOURCE_PREPARE", "web", "", "hook", 0.1}, none, none,
       "web: SIG_SOURCE_PREPARE handled by hook in 0.10 s"},
      {event::Progress{"web", "a", "sending", 1, 2}, none, none, none},
      {event::Talk{event::Level::debug, "", "", "", "d"}, none, none, "d"},
      {event::Talk{event::Level::info, "build", "web", "", "one\ntwo\x1b"}, none,
       "web: [build] one\ntwo\\x1b", "web: [build] one\ntwo\\x1b"},
      {event::Talk{event::Level::warning, "", "", "a", "w"}, "warning: a: w", "warning: a: w",
       "warning: a: w"},
      {event::Output{"result"}, none, none, none},
      {finished(event::Outcome::unchanged), none, "web on a: unchanged", "web on a: unchanged"},
      {finished(event::Outcome::rollback_failed), none, "web on a: rollback failed",
       "web on a: rollback failed"},
      {finished(event::Outcome::deployed), none,
       "web on a: deployed 1a2b (branch main) (id): 1 whole, 2 by delta, 3 kept; 2.0 KiB sent, 17 B received "
       "for a tree "
       "of 3.0 MiB; 1.50 s",
       "web on a: deployed 1a2b (branch main) (id): 1 whole, 2 by delta, 3 kept; 2.0 KiB sent, 17 B received "
       "for a tree "
       "of 3.0 MiB; 1.50 s"},
      {event::Failure{"a", "web", 212, "error[P212] x\nhint: y\x07"}, "web on a: error[P212] x\nhint: y\\x07",
       "web on a: error[P212] x\nhint: y\\x07", "web on a: error[P212] x\nhint: y\\x07"},
      {event::Failure{"", "", 100, "e"}, "e", "e", "e"},
      {event::Question{1, event::QuestionKind::confirm, "Really?"}, none, none, none},
      {event::RunFinished{6, "cause", 1, "", ""}, none, none, none},
  };
  for (const Expected& each : all) {
    INFO(event::name_of(each.event));
    CHECK(cli::describe(each.event, Detail::quiet) == each.quiet);
    CHECK(cli::describe(each.event, Detail::normal) == each.normal);
    CHECK(cli::describe(each.event, Detail::verbose) == each.verbose);
  }
}

TEST_CASE("deleted files are told when there are some", "[describe]") {
  CHECK(cli::describe(finished(event::Outcome::deployed, 4), Detail::normal)->find("3 kept, 4 deleted;") !=
        std::string::npos);
}

TEST_CASE("results are told at any detail", "[describe]") {
  using event::Event;
  const std::vector<std::pair<Event, std::string>> all = {
      {event::Output{"line"}, "line"},
      {event::Planned{"web", "a", true, 0, 0, 0, 0, {}, "", "", {}, {}, false}, "web on a: nothing to do"},
      {event::Planned{"web",
                      "a",
                      false,
                      1,
                      2,
                      3,
                      2048,
                      {"- y\n", "+ x"},
                      "v",
                      "",
                      {"-password = ***"},
                      {"SIG_DEPLOY: hook web"},
                      true},
       "web on a: 1 new, 2 changed, 3 deleted, at most 2.0 KiB to send\n  - y\\x0a\n  + x\n"
       "  | -password = ***\n  runs SIG_DEPLOY: hook web\n"
       "  a handler owns SIG_DEPLOY: this module goes live without waiting for the others"},
      {event::SiteStatus{"web", "a", "/p", "", "", "", "", "", "", "", 0, 0, {"frozen \x1b"}},
       "web on a: nothing is live\n  frozen \\x1b"},
      {event::SiteStatus{"web",
                         "a",
                         "/p",
                         "r1",
                         "v",
                         "1a2b",
                         "testing",
                         "2026-11-21T07:05:09.123456Z",
                         "ada@here",
                         "why",
                         1,
                         2,
                         {}},
       "web on a: r1  v, 2026-11-21T07:05:09Z by ada@here \"why\"\n"
       "  drift: 1 changed, 2 missing (porter-admin diff shows them)"},
      {event::ReleaseFound{"web", "a", "r1", "v", "", "2026-11-21T07:05:09Z", "", "", true, true, "broken"},
       "web on a: * r1  v, 2026-11-21T07:05:09Z  (current)  (pinned)  (bad: broken)"},
      {event::HistoryFound{"web", "a", "2026-11-21T07:05:09.1Z", "rollback", "r1", "r2", "run", "ada@here",
                           "v", "testing", "why"},
       "2026-11-21T07:05:09Z  web on a: rollback r1 after r2  v  config testing  by ada@here \"why\""},
      {event::DriftFound{"web", "a", "changed", "x", "content"}, "web on a: changed x  (content)"},
      {event::DriftFound{"web", "a", "added", "y", ""}, "web on a: added y"},
      {event::Checked{"a", "", "clock", "ok", "agrees", ""}, "ok      a: clock: agrees"},
      {event::Checked{"", "", "plugin", "problem", "gone", "install it"},
       "problem plugin: gone\n        fix: install it"},
  };
  for (const auto& [event, text] : all) {
    CHECK(cli::describe_result(event) == text);
    CHECK_FALSE(cli::describe(event, Detail::verbose));
  }
  CHECK_FALSE(cli::describe_result(event::HostConnected{"a", "local", 0.5}));
}
