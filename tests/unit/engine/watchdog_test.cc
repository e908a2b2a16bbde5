#include "core/engine/watchdog.h"

#include <future>

#include "tests/support/catch.h"

using namespace porter;
using namespace std::chrono_literals;
using engine::RunningHandler;
using engine::Watchdog;

namespace {

RunningHandler handler(const std::string& plugin) {
  return {{bus::OwnerKind::plugin, plugin, "1.0"}, "SIG_ACTIVATE", {"web", "one"}};
}

// What the watchdog has said: "outer/inner", waited for.
class Barks {
 public:
  Watchdog::Overdue taker() {
    return [this](const RunningHandler& outer, const RunningHandler& inner) {
      const std::lock_guard lock(mutex_);
      said_.push_back(outer.owner.name + "/" + inner.owner.name);
      more_.notify_all();
    };
  }
  std::vector<std::string> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    more_.wait_for(lock, 30s, [&] { return said_.size() >= count; });
    return said_;
  }
  std::vector<std::string> said() { return wait_for(0); }

 private:
  std::mutex mutex_;
  std::condition_variable more_;
  std::vector<std::string> said_;
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a handler that runs for too long is told once, with the one its thread is in", "[watchdog]") {
  Barks barks;
  Watchdog dog(barks.taker());
  dog.set_limit(30ms);
  dog.started(handler("outer"));
  dog.started(handler("inner"));
  CHECK(barks.wait_for(2) == Names{"outer/inner", "inner/inner"});
  dog.ended();
  dog.ended();
  dog.started(handler("next"));  // it sleeps without a limit to wake at, and wakes
  CHECK(barks.wait_for(3).back() == "next/next");
}

TEST_CASE("a handler in time is not told, and neither is one without a limit", "[watchdog]") {
  Barks barks;
  Watchdog dog(barks.taker());
  dog.started(handler("unlimited"));
  dog.set_limit(500ms);
  dog.started(handler("quick"));
  dog.ended();
  // When this one is told, the limits of the two before it have passed.
  dog.started(handler("slow"));
  CHECK(barks.wait_for(1) == Names{"slow/slow"});
}

TEST_CASE("each thread has handlers of its own", "[watchdog]") {
  Barks barks;
  Watchdog dog(barks.taker());
  dog.set_limit(500ms);
  dog.started(handler("stuck"));
  // A quick one on another thread, which started later and ends first.
  std::async(std::launch::async, [&] {
    dog.started(handler("quick"));
    dog.ended();
  }).get();
  CHECK(barks.wait_for(1) == Names{"stuck/stuck"});
  dog.ended();
  CHECK(barks.said().size() == 1);
}

TEST_CASE("a watchdog ends with its owner, whatever is running", "[watchdog]") {
  Barks barks;
  {
    Watchdog dog(barks.taker());
    dog.set_limit(1h);
    dog.started(handler("running"));
  }
  CHECK(barks.said().empty());
}
