#include "core/bus/bus.h"

#include "tests/support/catch.h"
#include "tests/unit/bus/bus_fixture.h"

using namespace porter;
using namespace porter::tests;
using Catch::Matchers::Contains;

TEST_CASE("handlers run by priority, and in push order among equals", "[bus]") {
  Stage stage;
  stage.module.bus.push(SIG_DEPLOY_START, stage.says("b"));
  stage.module.bus.push(SIG_DEPLOY_START, stage.says("c"));
  stage.module.bus.push(SIG_DEPLOY_START, stage.says("z"), {.priority = 9});
  stage.module.bus.push(SIG_DEPLOY_START, stage.says("a"), {.priority = -5});
  stage.module.bus.push(SIG_DEPLOY_START, stage.says("d"));
  stage.module.signal(SIG_DEPLOY_START, {});
  CHECK(stage.log == "a b c d z ");
  const auto known = stage.module.bus.handlers(SIG_DEPLOY_START);
  REQUIRE(known.size() == 5);
  CHECK(known.front().options.priority == -5);
  CHECK(known.back().options.priority == 9);
}

TEST_CASE("signals are known by their name, and carry a payload", "[bus]") {
  Stage stage;
  std::string seen;
  stage.module.bus.push(Signal::named("launcher-updated"),
                        [&](Module&, const Payload& payload) { seen = payload.at("path"); });
  const std::string name = "launcher-updated";  // another text with the same letters
  stage.module.emit(Signal::named(name), {{"path", "/srv/x"}});
  stage.module.emit(Signal::named("launcher"), {{"path", "not this"}});
  CHECK(seen == "/srv/x");
}

TEST_CASE("pop takes the handler pushed last, whatever its priority", "[bus]") {
  Stage stage;
  stage.module.bus.push(SIG_ACTIVATE, stage.says("first"), {.priority = 5});
  stage.module.bus.push(SIG_ACTIVATE, stage.says("last"));
  CHECK(stage.module.pop_signal_handler(SIG_ACTIVATE));
  stage.module.emit(SIG_ACTIVATE);
  CHECK(stage.log == "first ");
  CHECK(stage.module.pop_signal_handler(SIG_ACTIVATE));
  CHECK_FALSE(stage.module.pop_signal_handler(SIG_ACTIVATE));
}

TEST_CASE("replace stands in for the last handler, or pushes the first", "[bus]") {
  Stage stage;
  stage.module.bus.replace(SIG_SOURCE_SEND, stage.says("default"));
  stage.module.emit(SIG_SOURCE_SEND);
  stage.module.replace_signal_handler(SIG_SOURCE_SEND, [&](Module&) { stage.log += "own "; });
  stage.module.emit(SIG_SOURCE_SEND);
  CHECK(stage.log == "default own ");
}

TEST_CASE("a handler that throws ends the signal and is named with version, signal, module and host",
          "[bus]") {
  Stage stage;
  {
    const bus::OwnerScope scope(plugin("acme.audit"));
    stage.module.push_signal_handler(SIG_SOURCE_POST_SEND,
                                     [](Module&) { throw std::runtime_error("disk full"); });
  }
  stage.module.bus.push(SIG_SOURCE_POST_SEND, stage.says("never"));
  const base::Error error = error_of([&] { stage.module.emit(SIG_SOURCE_POST_SEND); });
  CHECK(error.code() == base::Code::plugin_failed);
  CHECK(error.message() ==
        "plugin acme.audit 1.0 failed in SIG_SOURCE_POST_SEND (module root, host testing): disk full");
  CHECK(stage.log.empty());
  REQUIRE(stage.notebook.runs.size() == 1);
  CHECK(stage.notebook.runs[0].outcome == bus::Outcome::failed);
}

TEST_CASE("a thrown int is an error too", "[bus]") {
  Stage stage;
  const bus::OwnerScope scope(plugin("acme.audit"));
  stage.module.push_signal_handler(SIG_DEPLOY_START, [](Module&) { throw 42; });
  CHECK_THAT(error_of([&] { stage.module.emit(SIG_DEPLOY_START); }).message(),
             Contains("acme.audit 1.0 failed in SIG_DEPLOY_START") &&
                 Contains("threw something that is no std::exception"));
}

TEST_CASE("an error of a service keeps its code, place and hint, and gains who called", "[bus]") {
  Stage stage;
  const bus::OwnerScope scope(plugin("acme.audit"));
  stage.module.push_signal_handler(SIG_DEPLOY_START, [](Module&) {
    throw base::Error(base::Code::remote, "systemctl: exit status 1")
        .at("root.ini", 4)
        .hint("look at the journal");
  });
  const base::Error error = error_of([&] { stage.module.emit(SIG_DEPLOY_START); });
  CHECK(error.code() == base::Code::remote);
  CHECK(error.where().line == 4);
  CHECK(error.hint_text() == "look at the journal");
  REQUIRE(error.trail().size() == 1);
  CHECK(error.trail()[0] == "plugin acme.audit 1.0 handled SIG_DEPLOY_START (module root, host testing)");
}

TEST_CASE("an interrupted run passes through handlers and observers", "[bus]") {
  Stage stage;
  const auto stop = [](Module&, const Payload&) { throw base::Interrupted(); };
  stage.module.bus.push(SIG_DEPLOY_START, stop);
  stage.module.bus.push(SIG_DEPLOY_FINISH, stop, {.criticality = Criticality::observer});
  CHECK_THROWS_AS(stage.module.emit(SIG_DEPLOY_START), base::Interrupted);
  CHECK_THROWS_AS(stage.module.emit(SIG_DEPLOY_FINISH), base::Interrupted);
}

TEST_CASE("an observer's failure is told and the signal goes on", "[bus]") {
  Stage stage;
  {
    const bus::OwnerScope scope(plugin("acme.watch"));
    stage.module.bus.push(SIG_DEPLOY_START,
                          [](Module&, const Payload&) { throw std::runtime_error("no network"); },
                          {.criticality = Criticality::observer});
  }
  stage.module.bus.push(SIG_DEPLOY_START, stage.says("next"));
  stage.module.emit(SIG_DEPLOY_START);
  CHECK(stage.log == "next ");
  REQUIRE(stage.notebook.failures.size() == 1);
  CHECK_THAT(stage.notebook.failures[0], Contains("acme.watch") && Contains("no network"));
}

TEST_CASE("what a handler pushes or pops counts from the next emission on", "[bus]") {
  Stage stage;
  stage.module.push_signal_handler(SIG_DEPLOY_START, [&](Module& module) {
    stage.log += "changes ";
    module.pop_signal_handler(SIG_DEPLOY_START);
    module.push_signal_handler(SIG_DEPLOY_START, stage.says("new"), {});
  });
  stage.module.bus.push(SIG_DEPLOY_START, stage.says("old"));
  stage.module.emit(SIG_DEPLOY_START);
  CHECK(stage.log == "changes old ");
  stage.log.clear();
  stage.module.pop_signal_handler(SIG_DEPLOY_START);
  stage.module.bus.push(SIG_DEPLOY_START, stage.says("newer"));
  stage.module.emit(SIG_DEPLOY_START);
  CHECK(stage.log == "changes newer ");
}

TEST_CASE("a handler may remove itself", "[bus]") {
  Stage stage;
  stage.module.push_signal_handler(SIG_DEPLOY_START, [&](Module& module) {
    stage.log += "one ";
    module.pop_signal_handler(SIG_DEPLOY_START);
  });
  stage.module.emit(SIG_DEPLOY_START);
  stage.module.emit(SIG_DEPLOY_START);
  CHECK(stage.log == "one ");
}

TEST_CASE("a popped handler takes no part in a nested emission", "[bus]") {
  Stage stage;
  int depth = 0;
  stage.module.push_signal_handler(SIG_DEPLOY_START, [&](Module& module) {
    if (depth++ > 0) return;
    module.pop_signal_handler(SIG_DEPLOY_START);
    module.emit(SIG_DEPLOY_START);
  });
  stage.module.bus.push(SIG_DEPLOY_START, stage.says("old"));
  stage.module.emit(SIG_DEPLOY_START);
  CHECK(stage.log == "old ");  // by the outer emission alone
}

TEST_CASE("what a popped handler owns is given back when no emission needs it", "[bus]") {
  Stage stage;
  const auto owned = std::make_shared<int>(1);
  stage.module.bus.push(SIG_DEPLOY_START, [owned](Module&, const Payload&) {});
  CHECK(owned.use_count() > 1);
  stage.module.pop_signal_handler(SIG_DEPLOY_START);
  stage.module.emit(SIG_DEPLOY_START);
  CHECK(owned.use_count() == 1);
}

TEST_CASE("signals that emit each other for ever end with the chain of their names", "[bus]") {
  Stage stage;
  int calls = 0;
  stage.module.push_signal_handler(Signal::named("ping"), [&](Module& module) {
    ++calls;
    module.emit(Signal::named("pong"));
  });
  stage.module.push_signal_handler(Signal::named("pong"),
                                   [&](Module& module) { module.emit(Signal::named("ping")); });
  const base::Error error = error_of([&] { stage.module.emit(Signal::named("ping")); });
  CHECK(error.code() == base::Code::plugin_failed);
  CHECK_THAT(error.message(), Contains("16 deep") && Contains("ping > pong > ping"));
  CHECK(calls == bus::kDeepest / 2);
  stage.module.emit(Signal::named("other"));  // and the thread is usable afterwards
}

TEST_CASE("what a handler pushes is pushed in its owner's name", "[bus]") {
  Stage stage;
  {
    const bus::OwnerScope scope(plugin("acme.audit"));
    stage.module.push_signal_handler(SIG_DEPLOY_START, [](Module& module) {
      module.push_signal_handler(SIG_DEPLOY_FINISH, [](Module&) {});
    });
  }
  stage.module.emit(SIG_DEPLOY_START);
  REQUIRE(stage.module.bus.handlers(SIG_DEPLOY_FINISH).size() == 1);
  CHECK(stage.module.bus.handlers(SIG_DEPLOY_FINISH)[0].owner == plugin("acme.audit"));
  CHECK(bus::current_owner().describe() == "porter-admin");
}

TEST_CASE("registration is guarded as a handler is", "[bus]") {
  Stage stage;
  const base::Error error = error_of([&] {
    stage.module.bus.call(plugin("acme.audit"), "register_signal_handlers",
                          [] { throw std::logic_error("no file option"); });
  });
  CHECK(
      error.message() ==
      "plugin acme.audit 1.0 failed in register_signal_handlers (module root, host testing): no file option");
}
