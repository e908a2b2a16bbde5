#pragma once
// The runs of this user that left a folder (run_folder.h): to list them, and to let go of those that nobody
// needs any more. One thread; other processes may do the same at the same time.

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/engine/place.h"

namespace porter::engine {

constexpr std::size_t kMostUnfinishedRuns = 5;

struct UnfinishedRun {
  std::string id;
  std::string started;  // ISO, UTC
  std::string who;
  std::string command;  // "deploy root --config testing"
  std::string state;    // "running", "half activated", "staged", "put back", "committed", "partly committed",
                        // "damaged: …"
};

// Oldest first. Of one that has only just begun, and of a damaged one, nothing but id and state is known.
std::vector<UnfinishedRun> unfinished_runs(const std::filesystem::path& state_folder);
// Error(missing), which names those that there are.
base::Error unknown_run(const std::filesystem::path& state_folder, const std::string& run_id);
// Throws it unless there is such a run.
void require_unfinished(const std::filesystem::path& state_folder, const std::string& run_id);
// Whether it left something to go on with, and ended.
bool can_resume(const std::filesystem::path& state_folder, const std::string& run_id) noexcept;
// Whether some host may run something else than before or than was wanted; also when the journal cannot be
// read. A stage that was left is none of that.
bool is_half_activated(const std::filesystem::path& state_folder, const std::string& run_id) noexcept;
// A deploy has gone over all these places: dead runs that were about no other are forgotten, damaged ones
// too.
void forget_covered_runs(const std::filesystem::path& state_folder, const std::vector<Place>& places);
// Forgets the oldest until at most `most` are left; none that is alive, damaged or not settled.
void forget_oldest_runs(const std::filesystem::path& state_folder, std::size_t most);

}  // namespace porter::engine
