#include "core/cli/recap.h"

#include <fmt/format.h>

#include "core/base/exit_code.h"
#include "core/base/text.h"

namespace porter::cli {
namespace {

using base::ExitCode;

std::string hosts(std::size_t count) {
  return fmt::format("{} {}", count, count == 1 ? "host" : "hosts");
}

// Of a run that has told of no module's end.
std::string state_of(ExitCode code) {
  switch (code) {
    case ExitCode::nothing_activated:
      return "nothing activated";
    case ExitCode::rolled_back:
      return "rolled back";
    case ExitCode::rollback_failed:
      return "rollback failed";
    case ExitCode::some_hosts_failed:
      return "done with problems";
    case ExitCode::ok:
      return "done";
    default:
      return "nothing done";
  }
}

std::string word_for(ExitCode code) {
  if (code == ExitCode::interrupted) return "stopped";
  return code == ExitCode::plan_has_changes ? "changes" : "failed";
}

}  // namespace

void Recap::handle(const event::Event& event) noexcept {
  if (const auto* end = std::get_if<event::ModuleFinished>(&event)) ++outcomes_[event::name_of(end->outcome)];
  if (const auto* plan = std::get_if<event::Planned>(&event)) ++(plan->unchanged ? unchanged_ : to_do_);
  if (const auto* host = std::get_if<event::HostConnected>(&event)) connected_.insert(host->host);
  if (const auto* failure = std::get_if<event::Failure>(&event); failure != nullptr && !failure->host.empty())
    failed_.insert(failure->host);
}

std::string Recap::text(const event::RunFinished& end) const {
  const auto code = static_cast<ExitCode>(end.exit_code);
  const bool well = code == ExitCode::ok || code == ExitCode::plan_has_changes;
  if (engine::only_looks(action_) && well) return "";  // what was found says it
  std::string line = fmt::format("{} (exit {}): ", word_for(code), end.exit_code);
  if (code == ExitCode::ok) line = "ok: ";
  line += fmt::format("{} in {}", done(end.exit_code), base::format_seconds(end.seconds));
  if (!end.log.empty()) line += fmt::format("\nlog: {}", end.log);
  return line;
}

std::string Recap::done(int exit_code) const {
  if (action_ == engine::Action::run && !(connected_.empty() && failed_.empty())) return ran();
  std::string counts;
  for (const auto& [outcome, count] : outcomes_)
    counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", count, outcome);
  if (!counts.empty()) return counts;
  if (to_do_ + unchanged_ > 0) return planned();
  return state_of(static_cast<ExitCode>(exit_code));
}

std::string Recap::planned() const {
  return fmt::format("{} to deploy, {} unchanged, nothing done yet", to_do_, unchanged_);
}

std::string Recap::ran() const {
  std::size_t good = 0;
  for (const std::string& host : connected_)
    good += failed_.contains(host) ? 0 : 1;
  if (failed_.empty()) return "ran on " + hosts(good);
  return fmt::format("ran on {}, failed on {}", hosts(good), failed_.size());
}

}  // namespace porter::cli
