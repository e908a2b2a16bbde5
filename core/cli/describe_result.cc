// The words for what a command was asked for.
#include <fmt/format.h>

#include "core/base/text.h"
#include "core/cli/describe.h"

namespace porter::cli {
namespace {

using base::format_bytes;
using base::printable;
using Line = std::optional<std::string>;

// "2026-11-21T07:05:09Z": people do not read microseconds.
std::string moment(const std::string& iso) {
  const std::size_t dot = iso.find('.');
  return dot == std::string::npos ? printable(iso) : printable(iso.substr(0, dot)) + "Z";
}

std::string by_and_why(const std::string& user, const std::string& message) {
  std::string text = user.empty() ? "" : " by " + printable(user);
  if (!message.empty()) text += fmt::format(" \"{}\"", printable(message));
  return text;
}

Line result_of(const event::Output& output) {
  return output.text;
}

Line result_of(const event::Planned& plan) {
  if (plan.unchanged) return fmt::format("{}: nothing to do", place(plan.module, plan.host));
  std::string line =
      fmt::format("{}: {} new, {} changed, {} deleted, at most {} to send", place(plan.module, plan.host),
                  plan.files_new, plan.files_changed, plan.files_deleted, format_bytes(plan.bytes_to_send));
  for (const std::string& path : plan.paths)
    line += "\n  " + printable(path);
  for (const std::string& change : plan.config_changes)
    line += "\n  | " + printable(change);
  for (const std::string& handler : plan.handlers)
    line += "\n  runs " + printable(handler);
  if (plan.own_procedure)
    line += "\n  a handler owns SIG_DEPLOY: this module goes live without waiting for the others";
  return line;
}

Line result_of(const event::SiteStatus& site) {
  std::string line = place(site.module, site.host) + ": ";
  line += site.release_id.empty() ? "nothing is live" : printable(site.release_id);
  if (!site.made.empty())
    line += fmt::format("  {}, {}{}", printable(site.version), moment(site.made),
                        by_and_why(site.user, site.message));
  if (site.drift_changed + site.drift_missing > 0)
    line += fmt::format("\n  drift: {} changed, {} missing (porter-admin diff shows them)",
                        site.drift_changed, site.drift_missing);
  for (const std::string& note : site.notes)
    line += "\n  " + printable(note);
  return line;
}

Line result_of(const event::ReleaseFound& release) {
  std::string line =
      fmt::format("{}: {} {}  {}, {}{}", place(release.module, release.host), release.current ? "*" : " ",
                  printable(release.release_id), printable(release.version), moment(release.made),
                  by_and_why(release.user, release.message));
  if (release.current) line += "  (current)";
  if (release.pinned) line += "  (pinned)";
  if (!release.bad.empty()) line += fmt::format("  (bad: {})", printable(release.bad));
  return line;
}

Line result_of(const event::HistoryFound& entry) {
  std::string line = fmt::format("{}  {}: {} {}", moment(entry.when), place(entry.module, entry.host),
                                 printable(entry.action), printable(entry.release_id));
  if (!entry.previous.empty()) line += " after " + printable(entry.previous);
  if (!entry.version.empty()) line += "  " + printable(entry.version);
  if (!entry.config.empty()) line += "  config " + printable(entry.config);
  return line + " " + by_and_why(entry.user, entry.message);
}

Line result_of(const event::DriftFound& drift) {
  std::string line =
      fmt::format("{}: {} {}", place(drift.module, drift.host), printable(drift.kind), printable(drift.path));
  return drift.what.empty() ? line : line + fmt::format("  ({})", printable(drift.what));
}

Line result_of(const event::Checked& checked) {
  std::string line = fmt::format("{:<8}", printable(checked.verdict));
  const std::string where = place(checked.module, checked.host);
  if (!where.empty()) line += where + ": ";
  line += fmt::format("{}: {}", printable(checked.subject), printable(checked.text));
  return checked.fix.empty() ? line : line + "\n        fix: " + printable(checked.fix);
}

template <class Talk>
Line result_of(const Talk&) {
  return std::nullopt;
}

}  // namespace

std::optional<std::string> describe_result(const event::Event& event) {
  return std::visit([](const auto& value) { return result_of(value); }, event);
}

}  // namespace porter::cli
