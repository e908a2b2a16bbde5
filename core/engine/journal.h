#pragma once
// The durable record of one run on the operator's side: one JSON object a line, each on disk before the step
// it announces is taken. The settler reads it when the process that wrote it is gone. One writer, the
// conductor, which holds a kernel lock on the file: a journal that is not locked belongs to nobody alive.

#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/base/fd.h"

namespace porter::engine {

// How far a module on a host has come. Each is written before the work it names begins.
enum class Step { staging, activating, committing, done };

struct JournalEntry {
  Step step = Step::staging;
  std::string module;
  std::string host;
  std::string site;  // the module's path on the target
  std::string release_id;
};

class Journal {
 public:
  // Starts the journal of a run; throws Error(io).
  Journal(const std::filesystem::path& state_folder, const std::string& run_id);
  // Returns when the record is on disk. Thread-safe.
  void record(const JournalEntry& entry);
  // The run ended in order: nothing is left to settle.
  void close();

  // The last step of every module and host of a run that did not end in order; empty when there is nothing to
  // settle. A half-written last line (the writer died in it) announces nothing and is ignored.
  static std::vector<JournalEntry> read_unfinished(const std::filesystem::path& state_folder,
                                                   const std::string& run_id);
  // How far the run had come anywhere, what was done since aside; nothing when nothing was begun.
  static std::optional<Step> furthest(const std::filesystem::path& state_folder, const std::string& run_id);
  // Removes the journals of dead runs whose every unfinished entry is about one of these hosts and sites.
  static void forget_dead(const std::filesystem::path& state_folder, const std::vector<JournalEntry>& places);
  // Marks a run as settled.
  static void settled(const std::filesystem::path& state_folder, const std::string& run_id);

 private:
  std::filesystem::path file_;
  std::mutex mutex_;
  base::UniqueFd fd_;
};

}  // namespace porter::engine
