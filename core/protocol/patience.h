#pragma once
// When a peer counts as silent. Within the deadline a whole frame has to come, or kProgress bytes of a longer
// one: so who lets single bytes trickle is as silent as who sends none, and a large frame may still come over
// a slow line. Both ends send beats when they have nothing else to say, so a living one never is. Belongs to
// one thread.

#include <chrono>
#include <cstddef>

namespace porter::protocol {

class Patience {
 public:
  using Moment = std::chrono::steady_clock::time_point;
  static constexpr std::size_t kProgress = 16U << 10U;

  Patience(std::chrono::milliseconds deadline, Moment now) : deadline_(deadline), since_(now) {}

  // The deadline counts from here, whatever was before.
  void restart(Moment now) {
    since_ = now;
    bytes_ = 0;
  }
  // So many bytes came; no whole frame was among them (else restart).
  void heard_part(std::size_t bytes, Moment now) {
    bytes_ += bytes;
    if (bytes_ >= kProgress) restart(now);
  }
  void set_deadline(std::chrono::milliseconds deadline) { deadline_ = deadline; }
  bool over(Moment now) const { return now - since_ > deadline_; }

 private:
  std::chrono::milliseconds deadline_;
  Moment since_;
  std::size_t bytes_ = 0;
};

}  // namespace porter::protocol
