#pragma once
// The line between supervisor and worker: messages in both directions over one socket pair. Upwards go events
// as event::encode() makes them, downwards the request, answers and Stop. A closed line is a message of its
// own: nothing. Sending is thread-safe; one thread receives.

#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/base/fd.h"

namespace porter::event {

class Channel {
 public:
  explicit Channel(base::UniqueFd socket) : socket_(std::move(socket)) {}

  // Throws Error(io) when the other side is gone.
  void send(std::string_view message);
  // The next message; nothing at the end of the line. Throws Error(timeout), Interrupted, Error(protocol).
  std::optional<std::string> receive(base::Deadline deadline, const base::CancelToken& cancel);
  int descriptor() const { return socket_.get(); }

 private:
  base::UniqueFd socket_;
  std::mutex sending_;
};

}  // namespace porter::event
