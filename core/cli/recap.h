#pragma once
// The last words of a run: how many modules ended how, how long it took, where the log is. A sink that
// counts.

#include <map>
#include <string>

#include "core/event/event.h"

namespace porter::cli {

class Recap : public event::Sink {
 public:
  void handle(const event::Event& event) noexcept override;
  // One or two lines without a newline at the end.
  std::string text(const event::RunFinished& end, const std::string& log_path) const;

 private:
  std::map<std::string, int> outcomes_;
};

}  // namespace porter::cli
