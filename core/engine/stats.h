#pragma once
// Where the time of a run goes, for -d stats: what its endpoints count by themselves, and what comes before
// they are there. Thread-safe.

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/engine/deployment.h"
#include "core/event/event.h"

namespace porter::engine {

class Stats {
 public:
  // Measures until it goes. `host` may be "": the operator's side.
  class Lap {
   public:
    Lap(Stats& stats, std::string stage, std::string host)
        : stats_(stats), stage_(std::move(stage)), host_(std::move(host)) {}
    ~Lap();
    Lap(const Lap&) = delete;
    Lap& operator=(const Lap&) = delete;

   private:
    Stats& stats_;
    std::string stage_;
    std::string host_;
    std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  };

  // A line for each stage of each host, in the order in which they began.
  void tell(event::Sink& sink, const std::vector<std::unique_ptr<HostRun>>& hosts) const;

 private:
  struct Stage {
    std::string name;
    std::string host;
    std::chrono::steady_clock::duration time;
  };
  mutable std::mutex mutex_;
  std::vector<Stage> stages_;
};

}  // namespace porter::engine
