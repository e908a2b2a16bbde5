#pragma once
// The supervisor's end of one worker, or settler, from its start to its end: events come in and are passed
// on, questions are put to the person at the terminal, Ctrl-C goes down, what is printed past the SDK becomes
// talk. Main thread only.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/subprocess.h"
#include "core/base/text.h"
#include "core/cli/culprits.h"
#include "core/cli/signal_stream.h"
#include "core/cli/view.h"
#include "core/engine/request.h"
#include "core/event/channel.h"
#include "core/event/event.h"

namespace porter::cli {

// What the person at the terminal wants, by the Ctrl-C so far: to stop after the step that is running; to
// abort that, too, and put back what is half done; to leave everything as it is.
enum class Wish { none, stop, abort, leave };

// Pieces of text as whole lines.
class Lines {
 public:
  // Gives every line that is complete to tell(text).
  template <class Tell>
  void add(std::string_view text, Tell&& tell) {
    for (const char each : text) {
      if (each != '\n') line_ += each;
      if (each == '\n' || line_.size() >= kLongest) flush(tell);
    }
  }
  template <class Tell>
  void flush(Tell&& tell) {
    if (!base::trim(line_).empty()) tell(line_);
    line_.clear();
  }

 private:
  static constexpr std::size_t kLongest = 4096;
  std::string line_;
};

class WorkerProcess {
 public:
  // Starts `program` as a worker. Sinks, view, signals and wish outlive it; `wish` is raised by each Ctrl-C
  // and may be something already. Throws base::Error.
  WorkerProcess(const std::filesystem::path& program, const engine::Request& request,
                std::vector<event::Sink*> sinks, View& view, const SignalStream& signals, Wish& wish);

  // Relays until the process has ended. Nothing: it ended without RunFinished, which is not told but given
  // back: it is for the whole run, which may not be over. Whatever an ended process has left in its group is
  // ended then, too.
  std::optional<event::RunFinished> relay();

  // After relay(): how the process ended, what was running in it, and the first failure it told of ("").
  const base::CommandResult& result() const { return *result_; }
  const Culprits& culprits() const { return culprits_; }
  const std::string& first_failure() const { return first_failure_; }

 private:
  void tell(const event::Event& event);
  void send(const std::string& message);
  void take_signals();
  void interrupted();
  void warn(const std::string& text) { tell(event::Talk{event::Level::warning, "", "", "", text}); }
  bool read_stray();
  void tell_stray(const std::string& line) { tell(event::Talk{event::Level::info, "worker", "", "", line}); }
  bool read_event();
  void take(const event::Event& event);
  void answer(const event::Question& question);
  void see_out();

  std::vector<event::Sink*> sinks_;
  View& view_;
  const SignalStream& signals_;
  Wish& wish_;
  bool interactive_;
  bool settles_;
  base::CancelToken never_;
  std::unique_ptr<event::Channel> channel_;
  base::UniqueFd stray_;
  Lines stray_lines_;
  std::optional<base::Child> worker_;
  base::UniqueFd end_;  // readable once the process has ended
  std::optional<base::CommandResult> result_;
  std::optional<event::RunFinished> finished_;
  Culprits culprits_;
  std::string first_failure_;
};

}  // namespace porter::cli
