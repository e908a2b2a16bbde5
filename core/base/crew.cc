#include "core/base/crew.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <utility>

namespace porter::base {

Crew::Crew(int threads, CancelToken cancel)
    : threads_(static_cast<std::size_t>(std::max(threads, 1))), cancel_(std::move(cancel)) {}

Crew::~Crew() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    tasks_.clear();
  }
  changed_.notify_all();
  for (std::thread& helper : helpers_)
    helper.join();
}

int Crew::usual_threads() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
  return std::clamp(CPU_COUNT(&allowed), 1, 4);
}

void Crew::add(Task task) {
  const std::lock_guard lock(mutex_);
  if (failure_) std::rethrow_exception(failure_);
  tasks_.push_back(std::move(task));
  if (idle_ > 0)
    changed_.notify_one();
  else if (tasks_.size() > 1 && helpers_.size() + 1 < threads_)
    helpers_.emplace_back([this] { serve(); });
}

void Crew::add_bounded(Task task, std::size_t most) {
  add(std::move(task));
  std::unique_lock lock(mutex_);
  while (tasks_.size() > most)
    work_off(lock);
}

void Crew::finish() {
  std::unique_lock lock(mutex_);
  while (work_off(lock) || running_ > 0) {
    if (tasks_.empty() && running_ > 0) rest(lock);
  }
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void Crew::serve() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    if (!work_off(lock)) rest(lock);
  }
}

void Crew::rest(std::unique_lock<std::mutex>& lock) {
  ++idle_;
  changed_.wait(lock);
  --idle_;
}

// One piece. False when there is none.
bool Crew::work_off(std::unique_lock<std::mutex>& lock) {
  if (tasks_.empty()) return false;
  Task task = std::move(tasks_.back());
  tasks_.pop_back();
  ++running_;
  lock.unlock();
  run(task);
  task = nullptr;  // what it holds goes without the lock
  lock.lock();
  if (--running_ == 0 && tasks_.empty()) changed_.notify_all();
  return true;
}

void Crew::run(const Task& task) {
  try {
    cancel_.check();
    task();
  } catch (...) {
    const std::lock_guard lock(mutex_);
    tasks_.clear();
    if (!failure_) failure_ = std::current_exception();
  }
}

void on_all_cores(std::size_t count, const CancelToken& cancel,
                  const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  const auto some = [&] {
    try {
      for (std::size_t i = next++; i < count; i = next++) {
        cancel.check();
        work(i);
      }
    } catch (...) {
      next = count;  // for the others
      throw;
    }
  };
  const int threads = Crew::usual_threads();
  Crew crew(threads, cancel);
  for (int i = 0; i < threads && static_cast<std::size_t>(i) < count; ++i)
    crew.add(some);
  crew.finish();
}

}  // namespace porter::base
