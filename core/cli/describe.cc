#include "core/cli/describe.h"

#include <fmt/format.h>

#include "core/base/text.h"

namespace porter::cli {
namespace {

using base::format_bytes;
using base::format_seconds;
using base::printable;
using base::printable_lines;
using Line = std::optional<std::string>;

Line describe_one(const event::RunStarted& run, Detail detail) {
  const bool looks = run.command != "deploy" && run.command != "rollback";
  if (detail == Detail::quiet || (looks && detail != Detail::verbose)) return std::nullopt;
  std::string line = fmt::format("{} of \"{}\"", run.command, printable(run.project));
  if (!run.config.empty()) line += fmt::format(", config {}", printable(run.config));
  line += fmt::format(", {} to {}", base::join(run.modules, ", "), base::join(run.hosts, ", "));
  if (detail == Detail::verbose) line += fmt::format(" (run {}, by {})", run.run_id, printable(run.user));
  return line;
}

Line describe_one(const event::ModulePinned& pinned, Detail detail) {
  if (detail == Detail::quiet) return std::nullopt;
  return fmt::format("{}: {}", printable(pinned.module), printable(pinned.version));
}

Line describe_one(const event::HostConnected& host, Detail detail) {
  if (detail != Detail::verbose) return std::nullopt;
  return fmt::format("{}: connected to {} in {}", printable(host.host), printable(host.address),
                     format_seconds(host.seconds));
}

Line describe_one(const event::SignalStarted& started, Detail detail) {
  if (detail != Detail::verbose) return std::nullopt;
  return fmt::format("{}: {} goes to {}", place(started.module, started.host), printable(started.signal),
                     printable(started.who));
}

Line describe_one(const event::SignalFired& fired, Detail detail) {
  if (detail != Detail::verbose) return std::nullopt;
  return fmt::format("{}: {} {} {} in {}", place(fired.module, fired.host), printable(fired.signal),
                     fired.failed ? "failed in" : "handled by", printable(fired.handler),
                     format_seconds(fired.seconds));
}

Line describe_one(const event::Progress&, Detail) {
  return std::nullopt;
}
// Results go to stdout: describe_result().
Line describe_one(const event::Output&, Detail) {
  return std::nullopt;
}
Line describe_one(const event::Planned&, Detail) {
  return std::nullopt;
}
Line describe_one(const event::SiteStatus&, Detail) {
  return std::nullopt;
}
Line describe_one(const event::ReleaseFound&, Detail) {
  return std::nullopt;
}
Line describe_one(const event::HistoryFound&, Detail) {
  return std::nullopt;
}
Line describe_one(const event::DriftFound&, Detail) {
  return std::nullopt;
}
Line describe_one(const event::Checked&, Detail) {
  return std::nullopt;
}
Line describe_one(const event::Question&, Detail) {
  return std::nullopt;
}  // asked, not told

Line describe_one(const event::Talk& talk, Detail detail) {
  if (detail == Detail::quiet && talk.level != event::Level::warning) return std::nullopt;
  if (detail == Detail::normal && talk.level == event::Level::debug) return std::nullopt;
  std::string line = talk.level == event::Level::warning ? "warning: " : "";
  const std::string where = place(talk.module, talk.host);
  if (!where.empty()) line += where + ": ";
  if (!talk.source.empty()) line += fmt::format("[{}] ", printable(talk.source));
  return line + printable_lines(talk.text);
}

Line describe_one(const event::ModuleFinished& done, Detail detail) {
  if (detail == Detail::quiet) return std::nullopt;
  std::string line = fmt::format("{}: {}", place(done.module, done.host), event::name_of(done.outcome));
  if (done.outcome != event::Outcome::deployed) return line;
  line += fmt::format(" {} ({}): {} whole, {} by delta, {} kept", printable(done.version), done.release_id,
                      done.files_whole, done.files_delta, done.files_kept);
  if (done.files_deleted > 0) line += fmt::format(", {} deleted", done.files_deleted);
  line += fmt::format("; {} sent, {} received for a tree of {}; {}", format_bytes(done.bytes_sent),
                      format_bytes(done.bytes_received), format_bytes(done.tree_bytes),
                      format_seconds(done.seconds));
  return line;
}

Line describe_one(const event::Failure& failure, Detail) {
  const std::string where = place(failure.module, failure.host);
  return where.empty() ? printable_lines(failure.text) : where + ": " + printable_lines(failure.text);
}

Line describe_one(const event::RunFinished&, Detail) {
  return std::nullopt;
}  // the recap says it

}  // namespace

std::string place(const std::string& module, const std::string& host) {
  if (host.empty()) return printable(module);
  if (module.empty()) return printable(host);
  return fmt::format("{} on {}", printable(module), printable(host));
}

std::optional<std::string> describe(const event::Event& event, Detail detail) {
  return std::visit([&](const auto& value) { return describe_one(value, detail); }, event);
}

}  // namespace porter::cli
