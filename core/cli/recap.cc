#include "core/cli/recap.h"

#include <fmt/format.h>

#include "core/base/text.h"

namespace porter::cli {

void Recap::handle(const event::Event& event) noexcept {
  if (const auto* done = std::get_if<event::ModuleFinished>(&event))
    ++outcomes_[event::name_of(done->outcome)];
}

std::string Recap::text(const event::RunFinished& end, const std::string& log_path) const {
  std::string counts;
  for (const auto& [outcome, count] : outcomes_)
    counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", count, outcome);
  if (counts.empty()) counts = "nothing done";
  std::string line = end.exit_code == 0 ? "ok: " : fmt::format("failed (exit {}): ", end.exit_code);
  line += fmt::format("{} in {}", counts, base::format_seconds(end.seconds));
  if (!log_path.empty()) line += fmt::format("\nlog: {}", log_path);
  return line;
}

}  // namespace porter::cli
