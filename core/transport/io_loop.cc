#include "core/transport/io_loop.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <future>
#include <memory>

#include "core/base/error.h"

namespace porter::transport {
namespace {

constexpr std::size_t scratch_size = 256U << 10U;
constexpr std::uint64_t wake_id = 0;

// Signals are the main thread's business; and a peer that went away must not end the program by SIGPIPE.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

IoLoop::IoLoop()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      scratch_(scratch_size) {
  if (!epoll_ || !wake_) base::throw_errno("epoll");
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = wake_id;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0) base::throw_errno("epoll_ctl");
  thread_ = std::thread([this] {
    block_signals();
    while (!leaving_)
      turn();
  });
}

IoLoop::~IoLoop() {
  stop();
}

void IoLoop::post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    tasks_.push_back(std::move(task));
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t put = ::write(wake_.get(), &one, sizeof one);  // full means: awake anyway
}

void IoLoop::run(const Task& task) {
  if (std::this_thread::get_id() == thread_.get_id()) return task();
  auto done = std::make_shared<std::packaged_task<void()>>(task);
  std::future<void> result = done->get_future();
  post([done] { (*done)(); });
  result.get();
}

void IoLoop::stop() {
  post([this] { leaving_ = true; });
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void IoLoop::watch(int fd, std::uint32_t epoll_events, Watcher& watcher) {
  const bool is_new = !interests_.contains(fd);
  Interest& interest = interests_[fd];
  if (!is_new && interest.events == epoll_events && watchers_[interest.id] == &watcher) return;
  if (is_new) interest.id = next_id_++;
  interest.events = epoll_events;
  watchers_[interest.id] = &watcher;
  epoll_event event = {};
  event.events = epoll_events;
  event.data.u64 = interest.id;
  if (::epoll_ctl(epoll_.get(), is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) != 0)
    base::throw_errno("epoll_ctl");
}

void IoLoop::forget(int fd) {
  const auto found = interests_.find(fd);
  if (found == interests_.end()) return;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  watchers_.erase(found->second.id);
  interests_.erase(found);
}

void IoLoop::wake_at(Moment moment, Watcher& watcher) {
  forget_clock(watcher);
  clock_.emplace(moment, &watcher);
  moments_[&watcher] = moment;
}

void IoLoop::forget_clock(Watcher& watcher) {
  const auto found = moments_.find(&watcher);
  if (found == moments_.end()) return;
  clock_.erase({found->second, &watcher});
  moments_.erase(found);
}

int IoLoop::timeout() const {
  if (clock_.empty()) return -1;
  const auto wait = clock_.begin()->first - std::chrono::steady_clock::now();
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
  return static_cast<int>(std::clamp<std::int64_t>(milliseconds, 0, 3'600'000));
}

void IoLoop::turn() {
  std::array<epoll_event, 64> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout());
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    const auto found = watchers_.find(event.data.u64);
    if (found != watchers_.end()) found->second->ready(event.events);
  }
  run_tasks();
  run_due();
}

void IoLoop::run_tasks() {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &count, sizeof count);
  std::vector<Task> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(tasks_);
  }
  for (const Task& task : tasks)
    task();
}

void IoLoop::run_due() {
  const Moment now = std::chrono::steady_clock::now();
  while (!clock_.empty() && clock_.begin()->first <= now) {
    Watcher& watcher = *clock_.begin()->second;
    forget_clock(watcher);
    watcher.due();
  }
}

}  // namespace porter::transport
