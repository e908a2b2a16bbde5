#pragma once
// The durable record of one run's steps on the operator's side: one JSON object a line, each on disk before
// the step it announces is taken. Every line carries a check sum of itself. One writer, the conductor or a
// settler, which holds the run's folder (run_folder.h).

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/base/fd.h"

namespace porter::engine {

// How far a module on a host has come. Each is written before the work it names begins; done and undone when
// nothing is left to do: it is committed, or taken back.
enum class Step { staging, activating, committing, done, undone };

struct JournalEntry {
  Step step = Step::staging;
  std::size_t place = 0;  // its number among the run's places
  std::string module;     // these two for people
  std::string host;
  std::string release_id;
};

class Journal {
 public:
  // Goes on behind what is in the file; makes it when there is none. Throws Error(io), also for a damaged
  // one.
  explicit Journal(std::filesystem::path file);
  // Returns when the record is on disk; nothing of it is there when it throws. Thread-safe.
  void record(const JournalEntry& entry);
  // All of it, oldest first. Thread-safe.
  std::vector<JournalEntry> entries() const;

  // What the file holds; nothing without a file. A last line that was only half written (its writer died in
  // it) announces nothing. Throws Error(io) when a line is not what was written.
  static std::vector<JournalEntry> read(const std::filesystem::path& file);

 private:
  std::filesystem::path file_;
  mutable std::mutex mutex_;
  std::vector<JournalEntry> entries_;
  std::size_t length_ = 0;  // bytes of the lines that count
  base::UniqueFd fd_;

  void append(const std::string& line);
};

// The last step of every place, in the order the places began.
std::vector<JournalEntry> last_steps(const std::vector<JournalEntry>& entries);
// Those that are neither done nor undone: what a settler has to look after.
std::vector<JournalEntry> open_steps(const std::vector<JournalEntry>& entries);

}  // namespace porter::engine
