#pragma once
// What the agent hears: a thread of its own reads frames all the time, so that the end of the connection is
// noticed whatever the agent is busy with, and content goes on arriving while signatures go out. Memory is
// bounded; when it is full, reading pauses. One thread takes frames.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "core/agent/server_channels.h"
#include "core/base/cancel.h"
#include "core/base/error.h"
#include "core/protocol/frame_reader.h"
#include "core/protocol/patience.h"

namespace porter::agent {

// Whoever has started an agent greets it at once; nothing is locked before.
inline constexpr std::chrono::seconds kGreetingDeadline{15};

class Input {
 public:
  // `said` is heard first. `lost` is cancelled when the connection ends or stays silent for longer than the
  // idle deadline, as protocol::Patience has it. If the program has not ended some seconds after that, the
  // process is ended hard.
  Input(int fd, const std::string& said, base::CancelToken lost);
  ~Input();
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  // The next frame but beats; nothing once the connection is over (what was still waiting is dropped then).
  // Throws Error(protocol) when the stream makes no sense.
  std::optional<protocol::Frame> next();
  // The peer has greeted: from here on this deadline counts, and it may use further channels.
  void set_greeted(std::chrono::seconds deadline) {
    idle_ = deadline;
    greeted_ = true;
  }

 private:
  void read_all();
  bool hear(protocol::Patience& patience);
  void begin_stripes(const protocol::Frame& frame);
  void hand_over_frames(protocol::Patience& patience);
  void hand_over(protocol::Frame frame);
  void wait_for_room(std::unique_lock<std::mutex>& lock);
  void finish(std::optional<base::Error> why);
  void end_hard_unless_stopped() const;

  const int fd_;
  const base::CancelToken lost_;
  const base::CancelToken stop_;
  Channels channels_;  // this and the next are of the thread
  protocol::FrameReader reader_;
  std::atomic<std::chrono::seconds> idle_{kGreetingDeadline};
  std::atomic<bool> greeted_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<protocol::Frame> frames_;
  std::size_t waiting_bytes_ = 0;
  bool over_ = false;
  std::optional<base::Error> why_;
  std::thread thread_;
};

}  // namespace porter::agent
