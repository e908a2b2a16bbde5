// What happened to a site: one line for each activation that stays, and for each way back.
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/agent/failpoint.h"
#include "core/agent/site_parts.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/text.h"

namespace porter::agent {
namespace {

constexpr off_t kHistoryLimit = 64U << 20U;  // what is read of it; older lines stay on disk
constexpr std::string_view kRevert = "revert";

HistoryRecord cut(HistoryRecord entry) {
  for (std::string* text : {&entry.who, &entry.version, &entry.config, &entry.message})
    *text = shortened(*text);
  return entry;
}

HistoryRecord to_history(const Record& record) {
  return cut({record.get("time"), record.get("action"), record.get("release"), record.get("previous"),
              record.get("run"), record.get("who"), record.get("version"), record.get("config"),
              record.get("message")});
}

std::string to_line(const HistoryRecord& entry) {
  Record record;
  record.set("time", entry.time).set("action", entry.action).set("release", entry.release);
  record.set("previous", entry.previous).set("run", entry.run_id).set("who", entry.who);
  record.set("version", entry.version).set("config", entry.config).set("message", entry.message);
  return record.line();
}

std::string history_text(const Beneath& porter) {
  const std::optional<base::UniqueFd> fd = porter.try_open_file("history");
  if (!fd) return "";
  const off_t from = ::lseek(fd->get(), 0, SEEK_END) - kHistoryLimit;
  if (::lseek(fd->get(), std::max<off_t>(from, 0), SEEK_SET) < 0)
    throw base::system_error(porter.label("history"), errno);
  std::string text = base::while_doing("reading " + porter.label("history"),
                                       [&] { return base::read_to_end(fd->get(), 2 * kHistoryLimit); });
  if (from > 0) text.erase(0, text.find('\n'));  // a line of which the beginning is not read
  return text;
}

bool same_activation(const HistoryRecord& a, const HistoryRecord& b) {
  return a.release == b.release && a.run_id == b.run_id;
}

// By a run that was killed before it could note that it had. An activation is told once, whatever its end is
// called by the one who goes on; a failure may be told after another.
bool already_told(const Beneath& porter, const HistoryRecord& record) {
  const bool revert = record.action == kRevert;
  const std::vector<HistoryRecord> told = revert ? read_history(porter, 1) : activations(porter);
  if (told.empty() || !same_activation(told.back(), record)) return false;
  return !revert || (told.back().action == kRevert && told.back().message == record.message);
}

}  // namespace

std::vector<HistoryRecord> read_history(const Beneath& porter, std::size_t limit) {
  std::vector<HistoryRecord> all;
  for (const std::string& line : base::split(history_text(porter), '\n')) {
    if (const std::optional<Record> record = Record::parse(line)) all.push_back(to_history(*record));
  }
  if (all.size() > limit) all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(limit));
  return all;
}

std::vector<HistoryRecord> activations(const Beneath& porter) {
  std::vector<HistoryRecord> all;
  for (HistoryRecord& record : read_history(porter, std::string::npos)) {
    const bool again = !all.empty() && same_activation(all.back(), record);
    if (record.action == kRevert && again) all.pop_back();
    if (record.action != kRevert && !again) all.push_back(std::move(record));
  }
  return all;
}

void append_history(const SiteFolders& site, const HistoryRecord& record) {
  HistoryRecord complete = cut(record);
  if (already_told(site.porter, complete)) return;
  if (complete.time.empty()) complete.time = base::format_iso(std::chrono::system_clock::now());
  reach("history: before");
  site.append_line("history", to_line(complete));
  reach("history: written");
}

std::vector<HistoryRecord> Site::history(std::size_t limit) const {
  const std::shared_ptr<const SiteFolders> folders = parts_->open_folders();
  return folders ? read_history(folders->porter, limit) : std::vector<HistoryRecord>();
}

}  // namespace porter::agent
