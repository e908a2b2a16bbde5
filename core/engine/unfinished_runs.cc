#include "core/engine/unfinished_runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <tuple>

#include "core/base/text.h"
#include "core/engine/run_folder.h"

namespace porter::engine {
namespace {

std::string command_of(const Request& request) {
  std::vector<std::string> words = {name_of(request.action)};
  words.insert(words.end(), request.modules.begin(), request.modules.end());
  for (const std::string& host : request.hosts)
    words.insert(words.end(), {"--host", host});
  if (!request.config.empty()) words.insert(words.end(), {"--config", request.config});
  if (request.action == Action::deploy) words.insert(words.end(), {"--release", request.ref});
  if (!request.to_release.empty()) words.insert(words.end(), {"--to", request.to_release});
  return base::quote_shell(words);
}

bool all_staged(const std::vector<JournalEntry>& open) {
  return std::all_of(open.begin(), open.end(),
                     [](const JournalEntry& entry) { return entry.step == Step::staging; });
}

std::string state_of(const RunFolder& folder) {
  const std::vector<JournalEntry> last = last_steps(folder.journal().entries());
  const std::vector<JournalEntry> open = open_steps(last);
  const bool some_stay = std::any_of(last.begin(), last.end(),
                                     [](const JournalEntry& entry) { return entry.step == Step::done; });
  if (open.empty() && folder.is_committed()) return "committed";
  if (open.empty()) return some_stay ? "partly committed" : "put back";
  return all_staged(open) ? "staged" : "half activated";
}

// Two projects may call different machines by the same name.
bool is_same_host(const Place& one, const Place& other) {
  const auto way = [](const Place& place) {
    const settings::Host& host = place.host;
    return std::tie(host.name, host.address, host.port, host.user, host.jump, host.local, place.become);
  };
  return way(one) == way(other);
}

bool is_covered(const Place& place, const std::vector<Place>& by) {
  return std::any_of(by.begin(), by.end(), [&](const Place& other) {
    return is_same_host(other, place) && other.site == place.site;
  });
}

using Opener = std::optional<RunFolder>(const std::filesystem::path& state_folder, const std::string& run_id);

std::optional<RunFolder> open_sound(const std::filesystem::path& state_folder, const std::string& run_id) {
  return RunFolder::open(state_folder, run_id, Patience::no);
}

std::optional<RunFolder> open_any(const std::filesystem::path& state_folder, const std::string& run_id) {
  try {
    return open_sound(state_folder, run_id);
  } catch (const DamagedRun&) {
    return RunFolder::open_damaged(state_folder, run_id);
  }
}

void for_each_dead(const std::filesystem::path& state_folder, Opener open,
                   const std::function<void(RunFolder&)>& work) {
  for (const std::string& id : RunFolder::all(state_folder)) {
    try {
      if (std::optional<RunFolder> folder = open(state_folder, id)) work(*folder);
    } catch (const base::Error&) {
      // Alive, or nobody can tell what it was about: it stays.
    }
  }
}

UnfinishedRun describe(const std::filesystem::path& state_folder, const std::string& id, std::string state) {
  const RunFacts facts = RunFolder::read_facts(state_folder, id);
  return {id, facts.started, facts.who, command_of(facts.request), std::move(state)};
}

// It writes what it is about once it has kept its source, which may take a while.
UnfinishedRun describe_running(const std::filesystem::path& state_folder, const std::string& id) {
  try {
    return describe(state_folder, id, "running");
  } catch (const base::Error&) {
    return {id, "", "", "", "running"};
  }
}

}  // namespace

std::vector<UnfinishedRun> unfinished_runs(const std::filesystem::path& state_folder) {
  std::vector<UnfinishedRun> found;
  for (const std::string& id : RunFolder::all(state_folder)) {
    try {
      try {
        const std::optional<RunFolder> folder = RunFolder::open(state_folder, id, Patience::no);
        if (folder) found.push_back(describe(state_folder, id, state_of(*folder)));
      } catch (const base::Error& error) {
        if (error.code() != base::Code::locked) throw;
        found.push_back(describe_running(state_folder, id));
      }
    } catch (const base::Error& error) {
      found.push_back(
          {id, "", "", "",
           fmt::format("damaged: {} {}; {}", error.where().file, error.message(), error.hint_text())});
    }
  }
  return found;
}

base::Error unknown_run(const std::filesystem::path& state_folder, const std::string& run_id) {
  const std::vector<std::string> known = RunFolder::all(state_folder);
  return base::Error(base::Code::missing,
                     fmt::format("there is no unfinished run {}: it ended well, changed nothing, or a later "
                                 "deploy took its place",
                                 base::printable(run_id)))
      .hint(known.empty() ? "no run is unfinished" : "unfinished are: " + base::join(known, ", "));
}

void require_unfinished(const std::filesystem::path& state_folder, const std::string& run_id) {
  const std::vector<std::string> known = RunFolder::all(state_folder);
  if (std::find(known.begin(), known.end(), run_id) == known.end()) throw unknown_run(state_folder, run_id);
}

bool can_resume(const std::filesystem::path& state_folder, const std::string& run_id) noexcept {
  try {
    return RunFolder::open(state_folder, run_id, Patience::yes).has_value();
  } catch (const std::exception&) {
    return false;
  }
}

bool is_half_activated(const std::filesystem::path& state_folder, const std::string& run_id) noexcept {
  try {
    return !all_staged(open_steps(Journal::read(state_folder / "runs" / run_id / "journal")));
  } catch (const std::exception&) {
    return true;
  }
}

void forget_covered_runs(const std::filesystem::path& state_folder, const std::vector<Place>& places) {
  for_each_dead(state_folder, open_any, [&](RunFolder& folder) {
    const std::vector<Place>& kept = folder.facts().places;
    if (std::all_of(kept.begin(), kept.end(), [&](const Place& place) { return is_covered(place, places); }))
      folder.remove();
  });
}

void forget_oldest_runs(const std::filesystem::path& state_folder, std::size_t most) {
  for_each_dead(state_folder, open_sound, [](RunFolder&) {});  // those without a step go by themselves
  std::size_t count = RunFolder::all(state_folder).size();
  for_each_dead(state_folder, open_sound, [&](RunFolder& folder) {
    if (count <= most || !open_steps(folder.journal().entries()).empty()) return;
    folder.remove();
    --count;
  });
}

}  // namespace porter::engine
