#pragma once
// What the agent says: whole frames, written one after the other. Any thread may send; a full pipe makes
// senders wait, which never holds up the thread that reads (server_input.h).

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "core/protocol/messages.h"
#include "core/protocol/packer.h"

namespace porter::agent {

class Output {
 public:
  explicit Output(int fd) : fd_(fd) {}

  // Throws Error(io) when the other end is gone.
  void raw(std::string_view bytes);
  template <class Message>
  void send(const Message& message) {
    send_frame(protocol::to_frame(message));
  }
  // From here on frames that are worth it are packed: the other end can unpack.
  void start_packing();
  // A beat, unless something was sent within `quiet` or is being sent right now.
  void beat_after(std::chrono::milliseconds quiet);

 private:
  void send_frame(std::string frame);
  void write(std::string_view bytes);  // with the lock held

  const int fd_;
  std::mutex mutex_;
  std::optional<protocol::Packer> packer_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace porter::agent
