#include <atomic>
#include <future>
#include <thread>

#include "core/bus/plugin_lock.h"
#include "tests/support/catch.h"
#include "tests/unit/bus/bus_fixture.h"

using namespace porter;
using namespace porter::tests;
using Catch::Matchers::Contains;

namespace {

const HandlerOptions kOnce = {.repeat = Repeat::once};

void push_once(BusModule& module, const Signal& signal, Handler handler) {
  const bus::OwnerScope scope(plugin("acme.migrate"));
  module.bus.push(signal, std::move(handler), kOnce);
}

}  // namespace

TEST_CASE("a once handler runs on the first host only", "[bus][once]") {
  Stage stage;
  BusModule second({"root", "other"}, stage.registry, stage.notebook);
  for (BusModule* module : {&stage.module, &second}) {
    push_once(*module, SIG_POST_ACTIVATE, stage.says("migrate"));
    module->bus.push(SIG_POST_ACTIVATE, stage.says("start"));
  }
  stage.module.emit(SIG_POST_ACTIVATE);
  second.emit(SIG_POST_ACTIVATE);
  CHECK(stage.log == "migrate start start ");
}

TEST_CASE("two once handlers of one plugin and signal are two, and so are two modules'", "[bus][once]") {
  Stage stage;
  BusModule worker({"worker", "testing"}, stage.registry, stage.notebook);
  push_once(stage.module, SIG_POST_ACTIVATE, stage.says("a"));
  push_once(stage.module, SIG_POST_ACTIVATE, stage.says("b"));
  push_once(worker, SIG_POST_ACTIVATE, stage.says("c"));
  stage.module.emit(SIG_POST_ACTIVATE);
  stage.module.emit(SIG_POST_ACTIVATE);
  worker.emit(SIG_POST_ACTIVATE);
  CHECK(stage.log == "a b c ");
}

TEST_CASE("when a once handler failed on the first host, the others fail as well", "[bus][once]") {
  Stage stage;
  BusModule second({"root", "other"}, stage.registry, stage.notebook);
  for (BusModule* module : {&stage.module, &second}) {
    push_once(*module, SIG_POST_ACTIVATE, [&](Module&, const Payload&) {
      stage.log += "try ";
      throw std::runtime_error("table is locked");
    });
  }
  CHECK_THROWS_AS(stage.module.emit(SIG_POST_ACTIVATE), base::Error);
  const base::Error error = error_of([&] { second.emit(SIG_POST_ACTIVATE); });
  CHECK(error.code() == base::Code::plugin_failed);
  CHECK_THAT(error.message(),
             Contains("acme.migrate 1.0") && Contains("host other") && Contains("failed on the first"));
  CHECK(stage.log == "try ");
}

TEST_CASE("another host waits until the first host's once handler is done", "[bus][once]") {
  Stage stage;
  BusModule second({"root", "other"}, stage.registry, stage.notebook);
  std::promise<void> started;
  std::promise<void> go_on;
  std::atomic<bool> migrated = false;
  bool migrated_when_second_went_on = false;
  const auto migrate = [&](Module&, const Payload&) {
    const bus::PluginLock::Unlocked waiting;  // as a service does: the plugin's lock is no help here
    started.set_value();
    go_on.get_future().wait();
    migrated = true;
  };
  push_once(stage.module, SIG_POST_ACTIVATE, migrate);
  push_once(second, SIG_POST_ACTIVATE, migrate);
  second.bus.push(SIG_POST_ACTIVATE,
                  [&](Module&, const Payload&) { migrated_when_second_went_on = migrated.load(); });
  std::thread first([&] { stage.module.emit(SIG_POST_ACTIVATE); });
  started.get_future().wait();
  std::thread other([&] { second.emit(SIG_POST_ACTIVATE); });
  go_on.set_value();
  first.join();
  other.join();
  CHECK(migrated_when_second_went_on);
}

TEST_CASE("a once handler may emit the signal that it handles", "[bus][once]") {
  Stage stage;
  push_once(stage.module, Signal::named("again"), [&](Module& module, const Payload& payload) {
    stage.log += "once ";
    if (payload.empty()) module.emit(Signal::named("again"), {{"nested", "yes"}});
  });
  stage.module.emit(Signal::named("again"));
  CHECK(stage.log == "once ");
}
