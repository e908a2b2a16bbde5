#pragma once
// One thread that waits on descriptors and clocks and calls whoever they belong to. Nothing on it may block:
// no names, no files, no people. Internal to this room.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/fd.h"

namespace porter::transport {

class IoLoop {
 public:
  using Moment = std::chrono::steady_clock::time_point;
  using Task = std::function<void()>;

  // Called on the loop's thread; exceptions must not leave.
  class Watcher {
   public:
    Watcher() = default;
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;
    virtual ~Watcher() = default;
    virtual void ready(std::uint32_t epoll_events) = 0;
    // The moment asked for with wake_at() has come.
    virtual void due() {}
  };

  IoLoop();
  ~IoLoop();
  IoLoop(const IoLoop&) = delete;
  IoLoop& operator=(const IoLoop&) = delete;

  // From any thread. After stop() tasks are dropped.
  void post(Task task);
  // Posts and waits until it has run; exceptions of the task come back. On the loop's own thread it runs at
  // once.
  void run(const Task& task);
  // Ends the thread. Idempotent; the destructor calls it.
  void stop();

  // From the loop's thread only. One interest per descriptor; calling again changes it. Level-triggered.
  void watch(int fd, std::uint32_t epoll_events, Watcher& watcher);
  void forget(int fd);
  // One moment per watcher; calling again moves it.
  void wake_at(Moment moment, Watcher& watcher);
  void forget_clock(Watcher& watcher);
  // Scratch space of the thread, for one call at a time.
  std::vector<char>& scratch() { return scratch_; }

  // How many connections are pinned to this loop; kept by them.
  void pinned(int change) { pinned_ += change; }
  int pinned() const { return pinned_; }

 private:
  struct Interest {
    std::uint64_t id = 0;
    std::uint32_t events = 0;
  };
  void turn();
  int timeout() const;
  void run_tasks();
  void run_due();

  base::UniqueFd epoll_;
  base::UniqueFd wake_;
  std::mutex mutex_;
  std::vector<Task> tasks_;  // guarded by mutex_
  bool stopped_ = false;     // guarded by mutex_

  std::unordered_map<int, Interest> interests_;
  std::unordered_map<std::uint64_t, Watcher*> watchers_;  // by Interest::id: a stale event finds nothing here
  std::uint64_t next_id_ = 1;
  std::set<std::pair<Moment, Watcher*>> clock_;
  std::map<Watcher*, Moment> moments_;
  std::vector<char> scratch_;
  std::atomic<int> pinned_ = 0;
  bool leaving_ = false;
  std::thread thread_;
};

}  // namespace porter::transport
