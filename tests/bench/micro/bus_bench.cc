// What a signal costs: with its default handler alone, and with those of eight plugins.
#include <benchmark/benchmark.h>

#include "core/bus/bus.h"
#include "tests/support/bus_module.h"

namespace {

using namespace porter;

struct Nobody : bus::Watcher {
  void handler_started(const bus::Owner&, const std::string&, const bus::Place&) override {}
  void handler_ran(const bus::HandlerRun&) override {}
  void observer_failed(const base::Error&) override {}
  void warning(const bus::Owner&, const bus::Place&, const std::string&) override {}
};

void bus_signal(benchmark::State& state) {
  Nobody nobody;
  tests::BusModule module({"root", "testing"}, std::make_shared<bus::RunRegistry>(), nobody);
  std::int64_t calls = 0;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    const bus::OwnerScope scope({bus::OwnerKind::plugin, "plugin" + std::to_string(i), "1.0"});
    module.bus.push(SIG_DEPLOY_START, [&](Module&, const Payload&) { ++calls; });
  }
  for (auto _ : state)
    module.signal(SIG_DEPLOY_START, {});
  state.SetItemsProcessed(calls);
}

BENCHMARK(bus_signal)->Arg(1)->Arg(8);

}  // namespace
