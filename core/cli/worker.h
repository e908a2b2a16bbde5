#pragma once
// The worker: the process that does a run. Started by the supervisor with one end of a channel; ends when the
// run is over, or soon after the channel is closed.

namespace porter::cli {

// `channel` is the inherited descriptor. Returns the process's exit status, which nobody relies on: the last
// event does.
int worker_main(int channel) noexcept;

}  // namespace porter::cli
