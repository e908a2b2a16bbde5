#pragma once
// What people see while a run goes on. All views are sinks used by the supervisor's one thread.
//   LiveView    a terminal: lines that stay, and below them one moving line a host
//   PlainView   a pipe or a file: lines only, progress at most every few seconds
//   JsonView    --json: every event as one line of JSON on stdout
// Results (event::Output) go to stdout, talk to stderr.

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/world.h"
#include "core/cli/describe.h"
#include "core/event/event.h"

namespace porter::cli {

class View : public event::Sink {
 public:
  // Takes moving lines off the screen, so that a question can be asked or the program can end.
  virtual void pause() {}
};

enum class Format { people, json };

// The view that fits the world: LiveView when stderr is a terminal that can move its cursor (NO_COLOR decides
// about colours only).
std::unique_ptr<View> make_view(const base::World& world, Format format, Detail detail);

// How far a host is, and how fast; pure arithmetic on Progress events.
class Meter {
 public:
  using Clock = std::chrono::steady_clock;
  void update(const event::Progress& progress, Clock::time_point now);
  // "testing root sending 12.0 MiB of 40.0 MiB, 8.1 MiB/s, 3.46 s left"
  std::string text() const;

 private:
  event::Progress last_;
  Clock::time_point began_;
  double seconds_ = 0;
  bool running_ = false;
};

}  // namespace porter::cli
