#include "core/cli/recap.h"

#include "tests/support/catch.h"

using namespace porter;
using engine::Action;
using event::Outcome;

namespace {

event::ModuleFinished finished(Outcome outcome) {
  event::ModuleFinished end;
  end.outcome = outcome;
  return end;
}

std::string after(Action action, const std::vector<event::Event>& events, int code) {
  cli::Recap recap(action);
  for (const event::Event& each : events)
    recap.handle(each);
  return recap.text({code, "", 1.5, "", ""});
}

event::Planned planned(const char* host, bool unchanged) {
  event::Planned plan;
  plan.host = host;
  plan.unchanged = unchanged;
  return plan;
}

}  // namespace

TEST_CASE("the last line counts how the modules ended", "[recap]") {
  CHECK(after(Action::deploy,
              {finished(Outcome::deployed), finished(Outcome::unchanged), finished(Outcome::deployed)},
              0) == "ok: 2 deployed, 1 unchanged in 1.50 s");
  CHECK(after(Action::deploy, {planned("a", false), finished(Outcome::rolled_back)}, 6) ==
        "failed (exit 6): 1 rolled back in 1.50 s");
}

TEST_CASE("a dry run says what was planned, and that nothing was done", "[recap]") {
  CHECK(after(Action::deploy, {planned("a", false), planned("b", true), planned("c", false)}, 0) ==
        "ok: 2 to deploy, 1 unchanged, nothing done yet in 1.50 s");
}

TEST_CASE("a program's run says on how many hosts", "[recap]") {
  const event::HostConnected a{"a", "x", 0.1};
  const event::HostConnected b{"b", "x", 0.1};
  CHECK(after(Action::run, {a}, 0) == "ok: ran on 1 host in 1.50 s");
  CHECK(after(Action::run, {a, b, event::Failure{"b", "", 420, "e"}, event::Failure{"c", "", 400, "e"}}, 4) ==
        "failed (exit 4): ran on 1 host, failed on 2 in 1.50 s");
}

TEST_CASE("a run that came to nothing says so, and what state it leaves", "[recap]") {
  CHECK(after(Action::deploy, {}, 2) == "failed (exit 2): nothing done in 1.50 s");
  CHECK(after(Action::doctor, {}, 4) == "failed (exit 4): done with problems in 1.50 s");
  CHECK(after(Action::deploy, {}, 5) == "failed (exit 5): nothing activated in 1.50 s");
  CHECK(after(Action::deploy, {}, 6) == "failed (exit 6): rolled back in 1.50 s");
  CHECK(after(Action::deploy, {}, 7) == "failed (exit 7): rollback failed in 1.50 s");
  CHECK(after(Action::run, {}, 130) == "stopped (exit 130): nothing done in 1.50 s");
}

TEST_CASE("the log is named when there is one", "[recap]") {
  const cli::Recap recap(Action::deploy);
  CHECK(recap.text({0, "", 0.25, "/var/log/x", ""}).ends_with("\nlog: /var/log/x"));
}
