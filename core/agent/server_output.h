#pragma once
// What the agent says: whole frames, written one after the other. Any thread may send; a full pipe makes
// senders wait, which never holds up the thread that reads (server_input.h).

#include <chrono>
#include <mutex>
#include <string_view>

#include "core/protocol/messages.h"

namespace porter::agent {

class Output {
 public:
  explicit Output(int fd) : fd_(fd) {}

  // Throws Error(io) when the other end is gone.
  void raw(std::string_view bytes);
  template <class Message>
  void send(const Message& message) {
    raw(protocol::to_frame(message));
  }
  // A beat, unless something was sent within `quiet` or is being sent right now.
  void beat_after(std::chrono::milliseconds quiet);

 private:
  const int fd_;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace porter::agent
