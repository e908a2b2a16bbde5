#pragma once
// Notices a handler of a plugin or hook that runs for too long. A thread that is stuck in foreign code cannot
// be unwound, so all that can be done is to say who it is and to end the process; that is the caller's part.
// One thread, which sleeps until the next limit. Started and ended are told on the handler's thread, from
// many at once; what started last on a thread ends first.

#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "core/bus/owner.h"
#include "core/bus/watcher.h"

namespace porter::engine {

struct RunningHandler {
  bus::Owner owner;
  std::string signal;
  bus::Place place;
};

class Watchdog {
 public:
  // Gets the handler that is over its limit and the innermost one that its thread is in, which is another
  // when the first has emitted a signal. Called on the watchdog's thread, once for a handler; must not call
  // back.
  using Overdue = std::function<void(const RunningHandler& outer, const RunningHandler& inner)>;

  explicit Watchdog(Overdue overdue);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // How long a handler may take that starts from now on; without a call, for ever. Called once.
  void set_limit(std::chrono::milliseconds limit);
  void started(RunningHandler handler);
  void ended();

 private:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    RunningHandler handler;
    std::thread::id thread;
    std::optional<Clock::time_point> due;  // nothing: no limit, or told already
  };

  void watch();
  void tell(Entry& entry);

  Overdue overdue_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Entry> running_;  // in the order of their start, so the first one that is due is due first
  std::chrono::milliseconds limit_{0};
  bool idle_ = false;  // the thread sleeps without a limit to wake at
  bool over_ = false;
  std::thread thread_;
};

}  // namespace porter::engine
