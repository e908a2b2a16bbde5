#include "core/agent/server_pulse.h"

#include <poll.h>

#include "core/base/error.h"

namespace porter::agent {
namespace {

bool beat(Output& output, std::chrono::milliseconds every) {
  try {
    output.beat_after(every);
    return true;
  } catch (const base::Error&) {
    return false;  // the reading thread notices the end of the connection by itself
  }
}

}  // namespace

Pulse::Pulse(Output& output, std::chrono::milliseconds every)
    : thread_([this, &output, every] { run(output, every); }) {}

Pulse::~Pulse() {
  stop_.cancel();
  thread_.join();
}

void Pulse::run(Output& output, std::chrono::milliseconds every) const {
  pollfd stopped{stop_.descriptor(), POLLIN, 0};
  while (::poll(&stopped, 1, static_cast<int>(every.count())) <= 0)
    if (!beat(output, every)) return;
}

}  // namespace porter::agent
