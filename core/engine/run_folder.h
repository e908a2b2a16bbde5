#pragma once
// What a run keeps on the operator's side until all of it is committed, so that it can be settled without the
// project, and resumed with the very source it began with:
//
//   ~/.local/state/porter/runs/RUN/   (0700)
//     request           the request, as encode() gives it
//     places            who began it, when, and every module on every host (place.h)
//     journal           the steps (journal.h)
//     trees/ content/ seeds/   composed trees and the bytes of their files (kept_source.h)
//
// request and places begin with a digest of themselves, and are on disk before the first line of the journal.
// A kernel lock on the journal belongs to the process that does, settles or resumes the run: a folder that is
// not locked belongs to nobody alive. Used by one thread, apart from record().

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/engine/journal.h"
#include "core/engine/place.h"
#include "core/engine/request.h"
#include "core/source/folder_lock.h"

namespace porter::engine {

struct RunFacts {
  std::string who;      // "ada@laptop"
  std::string started;  // ISO, UTC
  Request request;
  std::vector<Place> places;
};

// A folder that is not as it was written. What its run left half done is known to the targets alone.
class DamagedRun : public base::Error {
 public:
  explicit DamagedRun(base::Error error) : Error(std::move(error)) {}
};

// Whether a lock that somebody holds may be waited for, about a second.
enum class Patience { no, yes };

class RunFolder {
 public:
  // For a run that begins, and locked. Throws Error(io).
  static RunFolder create(const std::filesystem::path& state_folder, const std::string& run_id);
  // Of a run that ended early, locked from now on; nothing when there is none, or it ended before its first
  // step (what is there of it goes). Throws Error(locked) for a run that is alive, and DamagedRun, which says
  // what can be done.
  static std::optional<RunFolder> open(const std::filesystem::path& state_folder, const std::string& run_id,
                                       Patience patience);
  // Of a damaged one: only to see which places it was about, and to remove it. Throws Error(locked), and
  // Error(io) when not even the places can be read.
  static RunFolder open_damaged(const std::filesystem::path& state_folder, const std::string& run_id);
  // Every run that has a folder, oldest first.
  static std::vector<std::string> all(const std::filesystem::path& state_folder);
  // Of any run, also one that is alive. Throws Error(io).
  static RunFacts read_facts(const std::filesystem::path& state_folder, const std::string& run_id);

  RunFolder(RunFolder&&) = default;
  RunFolder& operator=(RunFolder&&) = delete;
  // A folder without a single step goes with its object: nothing was begun.
  ~RunFolder();

  // Before the first step, and whenever a place changes. Returns when it is on disk.
  void write(RunFacts facts);
  const RunFacts& facts() const { return facts_; }
  // Returns when the step is on disk. Thread-safe.
  void record(std::size_t place, Step step);
  const Journal& journal() const { return *journal_; }
  // Every place is committed.
  bool is_committed() const;

  const std::filesystem::path& path() const { return path_; }
  // The run needs it no more.
  void remove();

 private:
  RunFolder(std::filesystem::path path, source::FolderLock lock);
  void read();

  std::filesystem::path path_;
  std::optional<source::FolderLock> lock_;
  std::unique_ptr<Journal> journal_;
  RunFacts facts_;
};

}  // namespace porter::engine
