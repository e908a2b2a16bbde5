#pragma once
// Says "I live" while a command works: a thread that sends a beat whenever nothing else was sent for a while.
// It ends with the object.

#include <chrono>
#include <thread>

#include "core/agent/server_output.h"
#include "core/base/cancel.h"

namespace porter::agent {

class Pulse {
 public:
  Pulse(Output& output, std::chrono::milliseconds every);
  ~Pulse();
  Pulse(const Pulse&) = delete;
  Pulse& operator=(const Pulse&) = delete;

 private:
  void run(Output& output, std::chrono::milliseconds every) const;

  base::CancelToken stop_;
  std::thread thread_;
};

}  // namespace porter::agent
