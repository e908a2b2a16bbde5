#include "core/engine/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/text.h"

namespace porter::engine {

using nlohmann::json;

NLOHMANN_JSON_SERIALIZE_ENUM(Step, {{Step::staging, "staging"},
                                    {Step::activating, "activating"},
                                    {Step::committing, "committing"},
                                    {Step::done, "done"}})
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(JournalEntry, step, module, host, site, release_id)

namespace {

std::filesystem::path file_of(const std::filesystem::path& state_folder, const std::string& run_id) {
  return state_folder / "runs" / (run_id + ".journal");
}

std::optional<JournalEntry> read_line(const std::string& line) {
  try {
    return json::parse(line).get<JournalEntry>();
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

// In the order they were written; none without a journal.
std::vector<JournalEntry> read_all(const std::filesystem::path& file) {
  std::vector<JournalEntry> all;
  if (!std::filesystem::exists(file)) return all;
  for (const std::string& line : base::split(base::read_file(file), '\n')) {
    if (std::optional<JournalEntry> entry = read_line(line)) all.push_back(std::move(*entry));
  }
  return all;
}

}  // namespace

Journal::Journal(const std::filesystem::path& state_folder, const std::string& run_id)
    : file_(file_of(state_folder, run_id)) {
  base::make_folders(file_.parent_path(), 0700);
  fd_.reset(::open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!fd_ || ::flock(fd_.get(), LOCK_EX) != 0) base::throw_errno(file_.string());
}

void Journal::record(const JournalEntry& entry) {
  const std::string line = json(entry).dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  const std::lock_guard lock(mutex_);
  base::write_all(fd_.get(), line);
  if (::fdatasync(fd_.get()) != 0) base::throw_errno(file_.string());
}

void Journal::close() {
  std::error_code ignored;  // a journal that stays is settled again, which changes nothing
  std::filesystem::remove(file_, ignored);
}

void Journal::forget_dead(const std::filesystem::path& state_folder,
                          const std::vector<JournalEntry>& places) {
  std::error_code none;  // no folder: no journals
  for (const auto& file : std::filesystem::directory_iterator(state_folder / "runs", none)) {
    const base::UniqueFd fd(::open(file.path().c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd || ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) continue;
    const std::vector<JournalEntry> open = read_unfinished(state_folder, file.path().stem().string());
    const bool covered = std::all_of(open.begin(), open.end(), [&](const JournalEntry& entry) {
      return std::any_of(places.begin(), places.end(), [&](const JournalEntry& place) {
        return place.host == entry.host && place.site == entry.site;
      });
    });
    if (covered) std::filesystem::remove(file.path(), none);
  }
}

std::vector<JournalEntry> Journal::read_unfinished(const std::filesystem::path& state_folder,
                                                   const std::string& run_id) {
  std::vector<JournalEntry> last;
  std::map<std::string, std::size_t> index;
  for (const JournalEntry& entry : read_all(file_of(state_folder, run_id))) {
    const auto [found, fresh] = index.try_emplace(entry.host + '\n' + entry.module, last.size());
    if (fresh)
      last.push_back(entry);
    else
      last[found->second] = entry;
  }
  std::erase_if(last, [](const JournalEntry& entry) { return entry.step == Step::done; });
  return last;
}

std::optional<Step> Journal::furthest(const std::filesystem::path& state_folder, const std::string& run_id) {
  std::optional<Step> furthest;
  for (const JournalEntry& entry : read_all(file_of(state_folder, run_id))) {
    if (entry.step != Step::done) furthest = std::max(furthest.value_or(entry.step), entry.step);
  }
  return furthest;
}

void Journal::settled(const std::filesystem::path& state_folder, const std::string& run_id) {
  std::error_code ignored;
  std::filesystem::remove(file_of(state_folder, run_id), ignored);
}

}  // namespace porter::engine
