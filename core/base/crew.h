#pragma once
// A few threads for work that brings further work: reading a folder brings those below it. The newest piece
// is taken first, so that what pieces hold open (descriptors) is bounded by depth, not by breadth.

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "core/base/cancel.h"

namespace porter::base {

class Crew {
 public:
  using Task = std::function<void()>;

  // At most `threads` (at least one) at once, the thread that calls finish() among them. Others are started
  // when there is a second piece for them to do.
  Crew(int threads, CancelToken cancel);
  // Drops what is not begun and joins.
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  // From any thread, also from within a task. Throws what a piece has thrown already.
  void add(Task task);
  // The same, for whoever feeds it from outside: does a piece itself while more than `most` are waiting, so
  // that what pieces hold is bounded.
  void add_bounded(Task task, std::size_t most);
  // Works until everything that was added, by tasks as well, is done. Throws the first exception of a task,
  // or Interrupted; the rest is dropped then. More may be added afterwards.
  void finish();

  // Cores that this process may use, at least one and at most four: more only wait for each other.
  static int usual_threads();

 private:
  void serve();
  bool work_off(std::unique_lock<std::mutex>& lock);
  void rest(std::unique_lock<std::mutex>& lock);
  void run(const Task& task);

  const std::size_t threads_;
  const CancelToken cancel_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Task> tasks_;
  std::size_t running_ = 0;
  std::size_t idle_ = 0;
  bool ending_ = false;
  std::exception_ptr failure_;
  std::vector<std::thread> helpers_;
};

// Does work(0), work(1), … work(count - 1) on all cores (usual_threads), begun in that order, and returns
// when all are done. Throws the first exception of any, or Interrupted; what is not begun is dropped then.
void on_all_cores(std::size_t count, const CancelToken& cancel, const std::function<void(std::size_t)>& work);

}  // namespace porter::base
