#include "core/engine/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "core/base/digest.h"
#include "core/base/error.h"
#include "core/base/files.h"

namespace porter::engine {

using nlohmann::json;

NLOHMANN_JSON_SERIALIZE_ENUM(Step, {{Step::staging, "staging"},
                                    {Step::activating, "activating"},
                                    {Step::committing, "committing"},
                                    {Step::done, "done"},
                                    {Step::undone, "undone"}})
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(JournalEntry, step, place, module, host, release_id)

namespace {

constexpr std::size_t kCheckDigits = 16;
constexpr std::string_view kCheckBegin = ",\"check\":\"";
constexpr std::string_view kCheckEnd = "\"}";
constexpr std::size_t kTail = kCheckBegin.size() + kCheckDigits + kCheckEnd.size();

// What ends a line: {"host":…,"step":…} becomes {"host":…,"step":…,"check":"…"}.
std::string tail_of(std::string_view object) {
  const std::string check = base::to_hex(base::sha256(object)).substr(0, kCheckDigits);
  return fmt::format("{}{}{}", kCheckBegin, check, kCheckEnd);
}

std::string to_line(const JournalEntry& entry) {
  std::string object = json(entry).dump(-1, ' ', false, json::error_handler_t::replace);
  const std::string tail = tail_of(object);
  object.pop_back();
  return object + tail + "\n";
}

std::optional<JournalEntry> read_line(std::string_view line) {
  if (line.size() <= kTail) return std::nullopt;
  const std::string object = std::string(line.substr(0, line.size() - kTail)) + "}";
  if (line.substr(line.size() - kTail) != tail_of(object)) return std::nullopt;
  try {
    return json::parse(object).get<JournalEntry>();
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

struct Content {
  std::vector<JournalEntry> entries;
  std::size_t length = 0;  // of the lines that count
};

Content parse(std::string_view text, const std::filesystem::path& file) {
  Content content;
  while (content.length < text.size()) {
    const std::string_view rest = text.substr(content.length);
    const std::size_t end = rest.find('\n');
    const bool whole = end != std::string_view::npos;
    // A line that lacks its end was cut off while it was written, unless only its end is not what it was.
    if (!whole && !read_line(rest.substr(0, rest.size() - 1))) break;
    std::optional<JournalEntry> entry = whole ? read_line(rest.substr(0, end)) : std::nullopt;
    if (!entry) {
      throw base::Error(base::Code::io,
                        fmt::format("line {} is not as it was written", content.entries.size() + 1))
          .at(file.string());
    }
    content.entries.push_back(std::move(*entry));
    content.length += end + 1;
  }
  return content;
}

std::string text_of(const std::filesystem::path& file) {
  return std::filesystem::exists(file) ? base::read_file(file) : std::string();
}

}  // namespace

Journal::Journal(std::filesystem::path file) : file_(std::move(file)) {
  Content content = parse(text_of(file_), file_);
  entries_ = std::move(content.entries);
  length_ = content.length;
  fd_.reset(::open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!fd_ || ::ftruncate(fd_.get(), static_cast<off_t>(length_)) != 0) base::throw_errno(file_.string());
}

void Journal::record(const JournalEntry& entry) {
  const std::string line = to_line(entry);
  const std::lock_guard lock(mutex_);
  try {
    append(line);
  } catch (const base::Error&) {
    // The half of a line would spoil the next one. What cannot be shortened either is found when it is read.
    if (::ftruncate(fd_.get(), static_cast<off_t>(length_)) != 0) fd_.reset();
    throw;
  }
  entries_.push_back(entry);
}

void Journal::append(const std::string& line) {
  base::write_all(fd_.get(), line);
  if (::fdatasync(fd_.get()) != 0) base::throw_errno(file_.string());
  length_ += line.size();
}

std::vector<JournalEntry> Journal::entries() const {
  const std::lock_guard lock(mutex_);
  return entries_;
}

std::vector<JournalEntry> Journal::read(const std::filesystem::path& file) {
  return parse(text_of(file), file).entries;
}

std::vector<JournalEntry> last_steps(const std::vector<JournalEntry>& entries) {
  std::vector<JournalEntry> last;
  std::map<std::size_t, std::size_t> index;
  for (const JournalEntry& entry : entries) {
    const auto [found, fresh] = index.try_emplace(entry.place, last.size());
    if (fresh)
      last.push_back(entry);
    else
      last[found->second] = entry;
  }
  return last;
}

std::vector<JournalEntry> open_steps(const std::vector<JournalEntry>& entries) {
  std::vector<JournalEntry> open = last_steps(entries);
  std::erase_if(
      open, [](const JournalEntry& entry) { return entry.step == Step::done || entry.step == Step::undone; });
  return open;
}

}  // namespace porter::engine
