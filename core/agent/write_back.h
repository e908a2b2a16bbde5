#pragma once
// Brings to disk what a stage writes while more is coming in, so that little is left to wait for at the end.
// Only a help: whether all is on disk is asked, and told, by the sync before the seal.

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>

#include "core/agent/beneath.h"

namespace porter::agent {

class WriteBack {
 public:
  // Nothing happens before so many files were written, nor again before as many more.
  static constexpr std::size_t kFilesAtOnce = 8000;

  // Of the file system that `tree` is on.
  explicit WriteBack(const Beneath& tree);
  // Waits for what is under way.
  ~WriteBack();
  WriteBack(const WriteBack&) = delete;
  WriteBack& operator=(const WriteBack&) = delete;

  // Any thread.
  void wrote(std::size_t files);

 private:
  void serve();

  // Of its own: the kernel tells a failed write once to each open descriptor, and the seal's has to hear of
  // it.
  base::UniqueFd folder_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t waiting_ = 0;
  bool ending_ = false;
  std::thread thread_;  // once there is enough
};

}  // namespace porter::agent
