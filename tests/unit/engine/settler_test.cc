// What is done for a run whose process died: by the journal alone, and without a plugin.

#include "tests/unit/engine/engine_fixture.h"

using namespace porter;
using namespace porter::engine;
using namespace porter::engine::test;

namespace {

JournalEntry entry(Step step, const std::string& module, const std::string& host) {
  return {step, 0, module, host, "20261121T070000Z-1a2b3c4d-dead"};
}

}  // namespace

TEST_CASE("a run that left nothing open has nothing to settle") {
  EngineFixture fixture;
  CHECK(fixture.settle({}) == ExitCode::internal);
  CHECK(fixture.hosts.steps().empty());
}

TEST_CASE("what was only staged is discarded") {
  EngineFixture fixture;
  CHECK(fixture.settle({entry(Step::staging, "lib", "one")}) == ExitCode::nothing_activated);
  CHECK(fixture.hosts.steps() == Names{"one lock /srv/lib", "one discard /srv/lib"});
  CHECK(fixture.unsettled().empty());
  CHECK(fixture.has_folder());  // it can be resumed
}

TEST_CASE("what was being activated is taken back, last module first") {
  EngineFixture fixture;
  CHECK(fixture.settle({entry(Step::staging, "lib", "one"), entry(Step::staging, "root", "one"),
                        entry(Step::activating, "lib", "one"), entry(Step::activating, "root", "one")}) ==
        ExitCode::rolled_back);
  CHECK(fixture.hosts.steps() ==
        Names{"one lock /srv/root", "one revert /srv/root", "one lock /srv/lib", "one revert /srv/lib"});
}

TEST_CASE("what was being committed is committed on all hosts, and not called rolled back") {
  EngineFixture fixture;
  CHECK(fixture.settle({entry(Step::activating, "lib", "two"), entry(Step::committing, "lib", "one")}) ==
        ExitCode::some_hosts_failed);
  CHECK(fixture.hosts.count("one commit /srv/lib") == 1);
  CHECK(fixture.hosts.count("two commit /srv/lib") == 1);
  CHECK(fixture.hosts.count(" revert ") == 0);
  for (const auto& talk : fixture.events.of<event::Talk>()) {
    if (talk.text.find("lib on one") != std::string::npos)
      CHECK(talk.text == "lib on one is live and committed");
  }
}

TEST_CASE("a run whose every commit was done is no rollback, though nothing is left to settle") {
  EngineFixture fixture;
  CHECK(fixture.settle({entry(Step::committing, "lib", "one"), entry(Step::done, "lib", "one")}) ==
        ExitCode::some_hosts_failed);
  CHECK(fixture.hosts.steps().empty());
  CHECK_FALSE(fixture.has_folder());
}

TEST_CASE("a module that was committed before another was taken back counts") {
  EngineFixture fixture;  // lib has a procedure of its own
  CHECK(fixture.settle({entry(Step::committing, "lib", "one"), entry(Step::done, "lib", "one"),
                        entry(Step::activating, "root", "one")}) == ExitCode::some_hosts_failed);
  CHECK(fixture.hosts.steps() == Names{"one lock /srv/root", "one revert /srv/root"});
  CHECK(fixture.outcomes() == Names{"root on one: rolled back"});
}

TEST_CASE("what was put back already is told as what it came to") {
  EngineFixture fixture;
  const Step step = GENERATE(Step::staging, Step::activating);
  CHECK(fixture.settle({entry(step, "lib", "one"), entry(Step::done, "lib", "one")}) ==
        (step == Step::staging ? ExitCode::nothing_activated : ExitCode::rolled_back));
}

TEST_CASE("how each module on a host ended is told") {
  EngineFixture fixture;
  fixture.hosts.fail("one revert /srv/root", Error(Code::io, "the disk is broken"));
  CHECK(fixture.settle({entry(Step::staging, "lib", "two"), entry(Step::activating, "root", "one"),
                        entry(Step::activating, "root", "two")}) == ExitCode::rollback_failed);
  CHECK(fixture.outcomes() ==
        Names{"lib on two: not activated", "root on one: rollback failed", "root on two: rolled back"});
}

TEST_CASE("a lock that the dead run's agent still holds for a moment is waited for") {
  EngineFixture fixture;
  fixture.hosts.fail("one lock /srv/lib", Error(Code::locked, "locked by the run that died"), 3);
  CHECK(fixture.settle({entry(Step::activating, "lib", "one")}) == ExitCode::rolled_back);
  CHECK(fixture.hosts.count("one lock /srv/lib") == 4);
  CHECK(fixture.hosts.count("one revert /srv/lib") == 1);
}

TEST_CASE("a host that cannot be settled keeps the journal, and the others are settled all the same") {
  EngineFixture fixture;
  fixture.on_connect = [](const std::string& host) {
    if (host == "two") throw Error(Code::unreachable, "no route");
  };
  CHECK(fixture.settle({entry(Step::activating, "lib", "one"), entry(Step::activating, "lib", "two")}) ==
        ExitCode::rollback_failed);
  CHECK(fixture.hosts.count("one revert /srv/lib") == 1);
  CHECK(fixture.has_folder());
}

TEST_CASE("a settled run whose every place is committed is forgotten") {
  EngineFixture fixture;
  CHECK(fixture.settle({entry(Step::activating, "lib", "one"), entry(Step::activating, "lib", "two"),
                        entry(Step::committing, "lib", "two"), entry(Step::done, "lib", "two")}) ==
        ExitCode::some_hosts_failed);
  CHECK(fixture.hosts.steps() == Names{"one lock /srv/lib", "one commit /srv/lib"});
  CHECK_FALSE(fixture.has_folder());
}

TEST_CASE("a project that is broken meanwhile does not matter to a settler") {
  EngineFixture fixture;
  fixture.write("project.ini", "[projekt]\nname = \n[[[\n");
  fixture.write("lib/lib.ini", "path = here\n");
  CHECK(fixture.settle({entry(Step::activating, "lib", "one")}) == ExitCode::rolled_back);
  CHECK(fixture.hosts.count("one revert /srv/lib") == 1);
}

TEST_CASE("nothing of a damaged journal is acted upon") {
  EngineFixture fixture;
  fixture.on_connect = [](const std::string&) { throw Error(Code::unreachable, "no route"); };
  CHECK(fixture.settle({entry(Step::activating, "lib", "one"), entry(Step::committing, "lib", "one")}) ==
        ExitCode::rollback_failed);
  std::string text = base::read_file(fixture.run_folder() / "journal");
  text[text.find("activating")] = 'A';
  base::write_file(fixture.run_folder() / "journal", text);
  fixture.on_connect = nullptr;
  const auto action = GENERATE(Action::settle, Action::resume);
  fixture.request.action = action;
  CHECK(fixture.settle_again() == ExitCode::rollback_failed);  // lib may be live, for all that is known
  CHECK_THAT(fixture.events.of<event::Failure>().at(0).text,
             Catch::Matchers::Contains("line 1 is not as it was written") &&
                 Catch::Matchers::Contains("deploy to all its hosts again"));
  CHECK(fixture.hosts.steps().empty());
  CHECK(fixture.has_folder());
}
