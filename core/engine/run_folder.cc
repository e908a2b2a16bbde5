#include "core/engine/run_folder.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "core/base/digest.h"
#include "core/base/error.h"
#include "core/base/files.h"

namespace porter::settings {

// Of a host only what connect() needs.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Host, name, address, port, port_given, user, identity, jump, agent_path,
                                   local)

}  // namespace porter::settings

namespace porter::engine {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Place, module, host, become, site, layout, durability, keep_releases,
                                   release_id, previous, version, commit, source, source_root, tree, seeds,
                                   seed_paths)

namespace {

// The file `places`, as CBOR: paths need not be UTF-8.
struct PlacesFile {
  std::string who;
  std::string started;
  std::vector<Place> places;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PlacesFile, who, started, places)

namespace fs = std::filesystem;
using base::Code;
using base::Error;
using nlohmann::json;
using source::FolderLock;

constexpr std::size_t kDigits = 64;

// Makes, finds and removes folders one at a time, so that none is taken for a dead one while it is made.
FolderLock lock_runs(const fs::path& runs) {
  base::make_folders(runs, 0700);
  return FolderLock::wait(runs / "lock", base::CancelToken());
}

fs::path runs_of(const fs::path& state_folder) {
  return state_folder / "runs";
}

Error damaged(const fs::path& file) {
  return Error(Code::io, "is not as it was written").at(file.string());
}

void write_checked(const fs::path& file, const std::string& bytes) {
  base::write_file(file, base::to_hex(base::sha256(bytes)) + "\n" + bytes, 0600, base::Durable::yes);
}

std::string read_checked(const fs::path& file) {
  const std::string all = fs::exists(file) ? base::read_file(file) : "";
  if (all.size() <= kDigits || all[kDigits] != '\n') throw damaged(file);
  std::string bytes = all.substr(kDigits + 1);
  if (base::to_hex(base::sha256(bytes)) != all.substr(0, kDigits)) throw damaged(file);
  return bytes;
}

// What has the right digest and cannot be read was written by another porter-admin.
template <class Read>
auto read_file_of(const fs::path& file, Read&& read) {
  const std::string bytes = read_checked(file);
  try {
    return read(bytes);
  } catch (const std::exception&) {
    throw damaged(file);
  }
}

PlacesFile read_places_in(const fs::path& folder) {
  return read_file_of(folder / "places",
                      [](const std::string& bytes) { return json::from_cbor(bytes).get<PlacesFile>(); });
}

RunFacts read_facts_in(const fs::path& folder) {
  Request request = read_file_of(folder / "request", decode_request);
  PlacesFile file = read_places_in(folder);
  return {file.who, file.started, std::move(request), std::move(file.places)};
}

bool has_places(const fs::path& folder) {
  try {
    read_places_in(folder);
    return true;
  } catch (const Error&) {
    return false;
  }
}

DamagedRun damaged_run(const fs::path& folder, const Error& error) {
  const std::string then =
      has_places(folder) ? "this run is forgotten then" : fmt::format("then remove {}", folder.string());
  return DamagedRun(Error(Code::io, fmt::format("{}: what run {} left half done is not known here",
                                                error.message(), folder.filename().string()))
                        .at(error.where())
                        .hint("deploy to all its hosts again: each target has a journal of its own, and "
                              "settles what is left there; " +
                              then));
}

// With patience: a process that was killed lets go of its locks a moment later than its parent hears of its
// end, and who only lists the runs holds each for a moment.
std::optional<FolderLock> lock_folder(const fs::path& runs, const fs::path& folder, Patience patience) {
  constexpr std::chrono::milliseconds kPause{25};
  const int tries = patience == Patience::yes ? 40 : 1;
  for (int i = 0; i < tries; ++i) {
    if (i > 0) std::this_thread::sleep_for(kPause);
    const FolderLock guard = lock_runs(runs);
    if (!fs::is_directory(folder)) return std::nullopt;
    if (auto lock = FolderLock::attempt(folder / "journal")) return lock;
  }
  throw Error(Code::locked, fmt::format("run {} is still going on", folder.filename().string()))
      .hint("wait for it, or end it: Ctrl-C where it runs");
}

}  // namespace

RunFolder::RunFolder(fs::path path, FolderLock lock) : path_(std::move(path)), lock_(std::move(lock)) {}

RunFolder::~RunFolder() {
  if (!journal_ || !journal_->entries().empty()) return;
  try {
    remove();
  } catch (const std::exception&) {
    // It holds nothing that matters, and goes with the next run.
  }
}

RunFolder RunFolder::create(const fs::path& state_folder, const std::string& run_id) {
  const fs::path runs = runs_of(state_folder);
  const FolderLock guard = lock_runs(runs);
  const fs::path folder = runs / run_id;
  if (::mkdir(folder.c_str(), 0700) != 0) base::throw_errno(folder.string());
  auto lock = FolderLock::attempt(folder / "journal");
  if (!lock) throw Error(Code::internal, folder.string() + ": somebody else was quicker");
  base::sync_folder(runs);
  RunFolder made(folder, std::move(*lock));
  made.journal_ = std::make_unique<Journal>(folder / "journal");
  return made;
}

std::optional<RunFolder> RunFolder::open(const fs::path& state_folder, const std::string& run_id,
                                         Patience patience) {
  const std::vector<std::string> known = all(state_folder);
  if (std::find(known.begin(), known.end(), run_id) == known.end()) return std::nullopt;
  const fs::path runs = runs_of(state_folder);
  std::optional<FolderLock> lock = lock_folder(runs, runs / run_id, patience);
  if (!lock) return std::nullopt;
  RunFolder folder(runs / run_id, std::move(*lock));
  try {
    folder.read();
  } catch (const Error& error) {
    throw damaged_run(folder.path_, error);
  }
  if (folder.journal().entries().empty()) return std::nullopt;
  return folder;
}

void RunFolder::read() {
  journal_ = std::make_unique<Journal>(path_ / "journal");
  const std::vector<JournalEntry> entries = journal_->entries();
  if (entries.empty()) return;
  facts_ = read_facts_in(path_);
  for (const JournalEntry& entry : entries) {
    if (entry.place >= facts_.places.size()) throw damaged(path_ / "journal");
  }
}

RunFolder RunFolder::open_damaged(const fs::path& state_folder, const std::string& run_id) {
  const fs::path runs = runs_of(state_folder);
  std::optional<FolderLock> lock = lock_folder(runs, runs / run_id, Patience::no);
  if (!lock) throw damaged(runs / run_id);  // somebody has removed it
  RunFolder folder(runs / run_id, std::move(*lock));
  folder.facts_.places = read_places_in(folder.path_).places;
  return folder;
}

std::vector<std::string> RunFolder::all(const fs::path& state_folder) {
  std::vector<std::string> found;
  std::error_code none;  // no folder: no runs
  for (const auto& entry : fs::directory_iterator(runs_of(state_folder), none)) {
    if (entry.is_directory(none)) found.push_back(entry.path().filename().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

RunFacts RunFolder::read_facts(const fs::path& state_folder, const std::string& run_id) {
  return read_facts_in(runs_of(state_folder) / run_id);
}

void RunFolder::write(RunFacts facts) {
  facts_ = std::move(facts);
  write_checked(path_ / "request", encode(facts_.request));
  const std::vector<std::uint8_t> places =
      json::to_cbor(json(PlacesFile{facts_.who, facts_.started, facts_.places}));
  write_checked(path_ / "places", {places.begin(), places.end()});
}

void RunFolder::record(std::size_t place, Step step) {
  const Place& at = facts_.places.at(place);
  journal_->record({step, place, at.module, at.host.name, at.release_id});
}

bool RunFolder::is_committed() const {
  const std::vector<JournalEntry> last = last_steps(journal_->entries());
  return last.size() == facts_.places.size() &&
         std::all_of(last.begin(), last.end(),
                     [](const JournalEntry& entry) { return entry.step == Step::done; });
}

void RunFolder::remove() {
  const FolderLock guard = lock_runs(path_.parent_path());
  journal_.reset();
  fs::remove(path_ / "journal");  // first: without it the rest stands for nothing
  base::remove_tree(path_);
}

}  // namespace porter::engine
