#pragma once
// One thread that sends beats over all wires of this process which nobody uses at the moment (a host that
// waits at a barrier is a record, not a thread). Runs while there are wires. Thread-safe.

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

namespace porter::endpoint {

class Wire;

class Pulse {
 public:
  static Pulse& shared();

  void add(Wire& wire, std::chrono::milliseconds every);
  // Returns when the thread is done with the wire.
  void remove(Wire& wire);

 private:
  void run();

  std::mutex lifecycle_;  // add and remove, one at a time
  std::mutex mutex_;      // what follows
  std::condition_variable changed_;
  std::set<Wire*> wires_;
  std::chrono::milliseconds every_{1000};
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace porter::endpoint
