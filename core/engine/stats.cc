#include "core/engine/stats.h"

#include <fmt/format.h>

#include "core/base/text.h"

namespace porter::engine {
namespace {

std::string line(const std::string& stage, std::chrono::steady_clock::duration time) {
  return fmt::format("{:<12} {:8.3f} s", stage, std::chrono::duration<double>(time).count());
}

std::string line(const endpoint::StepCount& step) {
  const endpoint::TrafficCount& all = step.traffic;
  const std::string channels = step.channels > 1 ? fmt::format(", {} channels", step.channels) : "";
  const std::string resumed =
      step.resumed > 0 ? fmt::format(", {} resumed", base::format_bytes(step.resumed)) : "";
  return fmt::format("{}, {} exchanges, {} out, {} in{}{}", line(step.name, step.time), all.exchanges,
                     base::format_bytes(all.bytes_out), base::format_bytes(all.bytes_in), channels, resumed);
}

}  // namespace

Stats::Lap::~Lap() {
  const auto time = std::chrono::steady_clock::now() - began_;
  const std::lock_guard lock(stats_.mutex_);
  stats_.stages_.push_back({std::move(stage_), std::move(host_), time});
}

void Stats::tell(event::Sink& sink, const std::vector<std::unique_ptr<HostRun>>& hosts) const {
  const std::lock_guard lock(mutex_);
  for (const Stage& stage : stages_)
    sink.handle(event::Talk{event::Level::info, "stats", "", stage.host, line(stage.name, stage.time)});
  for (const std::unique_ptr<HostRun>& host : hosts) {
    if (!host->endpoint) continue;
    for (const endpoint::StepCount& step : host->endpoint->steps())
      sink.handle(event::Talk{event::Level::info, "stats", "", host->host.name, line(step)});
  }
}

}  // namespace porter::engine
