#pragma once
// Before the barrier a Stop may cut every wait short: nothing is live yet. Behind it a half-done switch must
// be carried on or taken back in order, so a Stop is then only looked at between steps. The shield passes the
// user's switch on to the switch that input and output wait on, until it is raised.

#include <mutex>
#include <thread>

#include "core/base/cancel.h"

namespace porter::engine {

class Shield {
 public:
  explicit Shield(base::CancelToken user);
  ~Shield();
  Shield(const Shield&) = delete;
  Shield& operator=(const Shield&) = delete;

  // What endpoints and programs wait on.
  const base::CancelToken& waits() const { return waits_; }
  // What the user asked for; looked at between steps.
  const base::CancelToken& user() const { return user_; }
  // From now on a Stop leaves waits alone. Throws Interrupted when one came already. [main]
  void raise();
  // The run ends with an error before anything was touched: nobody waits any longer.
  void abandon() const { waits_.cancel(); }

 private:
  void watch();

  base::CancelToken user_;
  base::CancelToken waits_;
  base::CancelToken ended_;
  std::mutex mutex_;
  bool raised_ = false;
  std::thread watcher_;
};

}  // namespace porter::engine
