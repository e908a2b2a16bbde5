#pragma once
// Runs one piece of work for each of several items at once, at most `most` at a time, and waits for all: the
// handler pool. A host that waits at the barrier is a record in the caller's hands, not a thread.

#include <atomic>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace porter::engine {

inline constexpr std::size_t kHandlerThreads =
    32;  // hosts served at once; each waits for its target most of the time

// Calls work(item) for every item. What goes wrong with one item belongs into that item; what work throws
// ends nothing but that item, and the first exception is thrown when all are done.
template <class Item>
void for_each_at_once(std::vector<Item*> items, const std::function<void(Item&)>& work,
                      std::size_t most = kHandlerThreads) {
  if (items.size() == 1) return work(*items.front());
  std::atomic<std::size_t> next{0};
  std::once_flag failed;
  std::exception_ptr first;
  const auto attempt = [&](Item& item) {
    try {
      work(item);
    } catch (...) {
      std::call_once(failed, [&] { first = std::current_exception(); });
    }
  };
  const auto serve = [&] {
    for (std::size_t i = next++; i < items.size(); i = next++)
      attempt(*items[i]);
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < std::min(most, items.size()); ++i)
    threads.emplace_back(serve);
  for (std::thread& thread : threads)
    thread.join();
  if (first) std::rethrow_exception(first);
}

}  // namespace porter::engine
