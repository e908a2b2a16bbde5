#include "core/cli/supervisor.h"

#include <signal.h>
#include <unistd.h>

#include <filesystem>

#include "core/engine/run.h"
#include "core/engine/run_folder.h"
#include "tests/support/catch.h"
#include "tests/unit/cli/cli_fixture.h"

using namespace porter;
using Catch::Matchers::Contains;

namespace {

// Keeps what it is told, and presses Ctrl-C at each talk that has one of these words.
class Watcher : public cli::View {
 public:
  void handle(const event::Event& event) noexcept override {
    events.push_back(event);
    const auto* talk = std::get_if<event::Talk>(&event);
    if (talk == nullptr) return;
    for (const std::string& word : press_at) {
      if (talk->text.find(word) != std::string::npos) ::kill(::getpid(), SIGINT);
    }
  }
  template <class Kind>
  std::vector<Kind> of() const {
    std::vector<Kind> found;
    for (const event::Event& event : events) {
      if (const auto* one = std::get_if<Kind>(&event)) found.push_back(*one);
    }
    return found;
  }
  std::string talk() const {
    std::string text;
    for (const auto& each : of<event::Talk>())
      text += each.text + "\n";
    return text;
  }

  std::vector<event::Event> events;
  std::vector<std::string> press_at;
};

struct Supervised {
  Supervised() { request.run_id = "20261121T070000Z-1a2b"; }

  int run(const std::string& script) {
    request.message = script;
    return static_cast<int>(
        cli::supervise(here.world, request, view, cli::Detail::normal, PORTER_FAKE_WORKER));
  }
  std::filesystem::path run_folder() const { return here.world.state_folder() / "runs" / request.run_id; }
  event::RunFinished end() const { return view.of<event::RunFinished>().at(0); }
  // Something that the run left half done.
  void leave_open(engine::Step step = engine::Step::activating) {
    engine::RunFolder folder = engine::RunFolder::create(here.world.state_folder(), request.run_id);
    folder.write({"ada@laptop", "2026-11-21T07:00:00Z", request, {engine::Place()}});
    folder.record(0, step);
  }

  tests::TestWorld here;
  engine::Request request;
  Watcher view;
};

const std::string kCulprit = " while plugin acme.audit 1.0 handled SIG_ACTIVATE of web on one";

}  // namespace

TEST_CASE("a worker that says how the run ended is believed, and needs no settler", "[supervisor]") {
  Supervised run;
  CHECK(run.run("started:a fired:a finish:6|finish:7") == 6);
  CHECK(run.view.of<event::RunFinished>().size() == 1);
  CHECK(run.view.of<event::Failure>().empty());
}

TEST_CASE("a worker that dies in a plugin's handler is settled, and the plugin named", "[supervisor]") {
  const auto [how, said] = GENERATE(table<std::string, std::string>({{"signal:11", "(killed by signal 11)"},
                                                                     {"exit:0", "(exit status 0)"},
                                                                     {"signal:6", "(killed by signal 6)"}}));
  Supervised run;
  CHECK(run.run("started:acme.audit " + how + "|finish:6") == 6);
  const auto failures = run.view.of<event::Failure>();
  REQUIRE(failures.size() == 1);
  CHECK(failures[0].code == static_cast<int>(base::Code::plugin_failed));
  CHECK(failures[0].text == "error[P501] the worker ended in the middle of the run " + said + kCulprit);
  CHECK(run.end().cause == failures[0].text);
  CHECK_THAT(run.here.err.str(), Contains("failed (exit 6)"));
}

TEST_CASE("only a handler that has not ended is to blame", "[supervisor]") {
  Supervised run;
  CHECK(run.run("started:acme.audit fired:acme.audit signal:11|finish:5") == 5);
  CHECK(run.view.of<event::Failure>().at(0).text ==
        "error[P100] the worker ended in the middle of the run (killed by signal 11)");
}

TEST_CASE("a death before anything was staged is an internal mistake, or a plugin's", "[supervisor]") {
  Supervised ours;
  CHECK(ours.run("exit:0|finish:1") == 1);
  Supervised theirs;
  CHECK(theirs.run("started:acme.audit exit:0|finish:1") == 5);
}

TEST_CASE("a death behind the end of a deploy does not take it back", "[supervisor]") {
  const std::string how = GENERATE("started:acme.audit exit:0", "signal:11");
  Supervised run;
  CHECK(run.run("deployed " + how + "|finish:1") == 4);
  Supervised stopped;
  stopped.view.press_at = {"ready", "stopping"};
  CHECK(stopped.run("deployed talk:ready wait|finish:1") == 4);
}

TEST_CASE("a handler that was ended for its time is told once, as the cause", "[supervisor]") {
  Supervised run;
  CHECK(run.run("started:a failure:too-long exit:" + std::to_string(engine::kHandlerOverdue) + "|finish:6") ==
        6);
  CHECK(run.view.of<event::Failure>().size() == 1);
  CHECK(run.end().cause == "too-long");
  // A plugin that ends the process with that very status has told nothing.
  Supervised liar;
  CHECK(liar.run("started:a exit:" + std::to_string(engine::kHandlerOverdue) + "|finish:6") == 6);
  CHECK_THAT(liar.end().cause, Contains("exit status 124) while plugin a"));
}

TEST_CASE("a child that a plugin left holds nothing up, and ends with the worker", "[supervisor]") {
  Supervised run;
  CHECK(run.run("started:acme.audit child exit:0|finish:6") == 6);  // it would wait for ever
  CHECK_THAT(run.end().cause, Contains(kCulprit));
}

TEST_CASE("a settler that dies is a failed rollback", "[supervisor]") {
  Supervised run;
  CHECK(run.run("signal:11|exit:0") == 7);
  CHECK(run.end().cause == "the settler ended, too");
}

TEST_CASE("the first Ctrl-C asks the worker to stop", "[supervisor][ctrl-c]") {
  Supervised run;
  run.view.press_at = {"ready"};
  CHECK(run.run("talk:ready stop finish:130|finish:7") == 130);
  CHECK_THAT(run.view.talk(),
             Contains("stopping after the step that is running; again to abort it and put back what "
                      "is half done; a third time to leave at once"));
}

TEST_CASE("the second Ctrl-C aborts, and the settler puts back: stopped, when every host is as before",
          "[supervisor][ctrl-c]") {
  const auto [settled, code] = GENERATE(table<int, int>({{1, 130}, {5, 130}, {6, 130}, {4, 4}, {7, 7}}));
  Supervised run;
  run.view.press_at = {"ready", "stopping"};
  CHECK(run.run("started:acme.audit talk:ready wait|finish:" + std::to_string(settled)) == code);
  CHECK_THAT(run.view.talk(), Contains("aborted" + kCulprit + "; putting back what is half done"));
  CHECK(run.view.of<event::Failure>().empty());
  CHECK(run.end().cause == "interrupted");
}

TEST_CASE("the third Ctrl-C leaves at once", "[supervisor][ctrl-c]") {
  Supervised run;
  run.view.press_at = {"ready", "stopping", "settling"};
  SECTION("with nothing half done") {
    CHECK(run.run("talk:ready wait|talk:settling wait") == 130);
  }
  SECTION("with nothing but a stage") {
    run.leave_open(engine::Step::staging);
    CHECK(run.run("talk:ready wait|talk:settling wait") == 130);
  }
  SECTION("with something half done") {
    run.leave_open();
    CHECK(run.run("talk:ready wait|talk:settling wait") == 7);
    CHECK_THAT(run.view.talk(), Contains("left at once"));
    CHECK(run.end().cause == "left before everything was put back");
  }
}

TEST_CASE("a settler after a crash warns once before it is left", "[supervisor][ctrl-c]") {
  Supervised run;
  run.view.press_at = {"settling", "still putting back"};
  run.leave_open();
  CHECK(run.run("exit:0|talk:settling wait") == 7);
  Supervised patient;
  patient.view.press_at = {"settling"};
  CHECK(patient.run("exit:0|talk:settling finish:6") == 6);
}

TEST_CASE("the last event has the log and the command that goes on, as people read them", "[supervisor]") {
  Supervised run;
  const std::string command = "porter-admin resume " + run.request.run_id;
  SECTION("nothing to go on with") {
    run.run("finish:5|");
    CHECK(run.end().resume.empty());
    CHECK_THAT(run.here.err.str(), !Contains("resume"));
  }
  SECTION("something to go on with") {
    run.leave_open(engine::Step::staging);
    run.run("finish:5|");
    CHECK(run.end().resume == command);
    CHECK_THAT(run.here.err.str(), Contains(command + "\n"));
  }
  SECTION("something that nobody can go on with") {
    run.leave_open();
    base::write_file(run.run_folder() / "journal", "nonsense\n");
    run.run("finish:7|");
    CHECK(run.end().resume.empty());
  }
  CHECK(std::filesystem::exists(run.end().log));
  CHECK_THAT(run.here.err.str(), Contains("log: " + run.end().log));
}
