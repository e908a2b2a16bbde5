#include "core/bus/plugin_lock.h"

#include <atomic>
#include <future>
#include <thread>

#include "tests/support/catch.h"
#include "tests/unit/bus/bus_fixture.h"

using namespace porter;
using namespace porter::tests;

namespace {

// How many threads were inside at once, at most.
class Crowd {
 public:
  void pass() {
    const int inside = ++inside_;
    int most = most_;
    while (inside > most && !most_.compare_exchange_weak(most, inside)) {
    }
    std::this_thread::yield();
    --inside_;
  }
  int most() const { return most_; }

 private:
  std::atomic<int> inside_ = 0;
  std::atomic<int> most_ = 0;
};

constexpr int kRounds = 2000;

void emit_on_both(BusModule& a, BusModule& b, const Signal& signal, int rounds) {
  std::thread other([&] {
    for (int i = 0; i < rounds; ++i)
      b.emit(signal);
  });
  for (int i = 0; i < rounds; ++i)
    a.emit(signal);
  other.join();
}

void push_as(BusModule& module, const std::string& owner, const Signal& signal,
             std::function<void(Module&)> handler) {
  const bus::OwnerScope scope(plugin(owner));
  module.push_signal_handler(signal, std::move(handler));
}

// Two handlers that each wait for the other to be inside: they return only when both run at the same time.
struct Meeting {
  std::promise<void> arrived[2];
  std::shared_future<void> seen[2] = {arrived[0].get_future().share(), arrived[1].get_future().share()};

  void meet(int who) {
    arrived[who].set_value();
    seen[1 - who].wait();
  }
};

}  // namespace

TEST_CASE("handlers of one plugin run one at a time over all hosts", "[bus][lock]") {
  Stage stage;
  BusModule second({"root", "other"}, stage.registry, stage.notebook);
  Crowd crowd;
  for (BusModule* module : {&stage.module, &second})
    push_as(*module, "acme.audit", SIG_DEPLOY_START, [&](Module&) { crowd.pass(); });
  emit_on_both(stage.module, second, SIG_DEPLOY_START, kRounds);
  CHECK(crowd.most() == 1);
}

TEST_CASE("different plugins, and porter-admin's own defaults, run at the same time", "[bus][lock]") {
  Stage stage;
  BusModule second({"root", "other"}, stage.registry, stage.notebook);
  Meeting plugins;
  push_as(stage.module, "acme.one", SIG_DEPLOY_START, [&](Module&) { plugins.meet(0); });
  push_as(second, "acme.two", SIG_DEPLOY_START, [&](Module&) { plugins.meet(1); });
  emit_on_both(stage.module, second, SIG_DEPLOY_START, 1);
  Meeting defaults;
  stage.module.push_signal_handler(SIG_SOURCE_SEND, [&](Module&) { defaults.meet(0); });
  second.push_signal_handler(SIG_SOURCE_SEND, [&](Module&) { defaults.meet(1); });
  emit_on_both(stage.module, second, SIG_SOURCE_SEND, 1);
  SUCCEED("both meetings took place");
}

TEST_CASE("a plugin's lock is free while it waits inside a service", "[bus][lock]") {
  Stage stage;
  BusModule second({"root", "other"}, stage.registry, stage.notebook);
  Meeting meeting;
  push_as(stage.module, "acme.audit", SIG_DEPLOY_START, [&](Module&) {
    const bus::PluginLock::Unlocked waiting;
    meeting.meet(0);
  });
  push_as(second, "acme.audit", SIG_DEPLOY_START, [&](Module&) {
    const bus::PluginLock::Unlocked waiting;
    meeting.meet(1);
  });
  emit_on_both(stage.module, second, SIG_DEPLOY_START, 1);
  SUCCEED("the meeting took place");
}

TEST_CASE("plugins that emit into each other from two hosts do not wait for each other for ever",
          "[bus][lock]") {
  Stage stage;
  BusModule second({"root", "other"}, stage.registry, stage.notebook);
  std::atomic<int> inner = 0;
  for (BusModule* module : {&stage.module, &second}) {
    push_as(*module, "acme.one", Signal::named("one"), [&](Module&) { ++inner; });
    push_as(*module, "acme.two", Signal::named("two"), [&](Module&) { ++inner; });
  }
  push_as(stage.module, "acme.one", SIG_DEPLOY_START, [](Module& m) { m.emit(Signal::named("two")); });
  push_as(second, "acme.two", SIG_DEPLOY_START, [](Module& m) { m.emit(Signal::named("one")); });
  emit_on_both(stage.module, second, SIG_DEPLOY_START, kRounds);
  CHECK(inner == 2 * kRounds);
}

TEST_CASE("a plugin may handle the signal that it emits", "[bus][lock]") {
  Stage stage;
  push_as(stage.module, "acme.one", Signal::named("inner"), [&](Module&) { stage.log += "inner "; });
  push_as(stage.module, "acme.one", SIG_DEPLOY_START, [&](Module& module) {
    module.emit(Signal::named("inner"));
    stage.log += "outer ";
  });
  stage.module.emit(SIG_DEPLOY_START);
  CHECK(stage.log == "inner outer ");
}
