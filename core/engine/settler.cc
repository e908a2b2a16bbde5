#include "core/engine/settler.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/engine/connect.h"
#include "core/engine/run_folder.h"

namespace porter::engine {
namespace {

using base::ExitCode;

void settle_one(Run& run, const Request& begun, const Place& place, const JournalEntry& entry) {
  HostRun connection;
  connection.host = place.host;
  connection.become = place.become;
  connect(run, connection);
  if (connection.failure) throw base::Error(*connection.failure);
  lock_again(run, connection, lock_request(place, run));
  endpoint::Endpoint& endpoint = *connection.endpoint;
  if (entry.step == Step::staging) {
    endpoint.discard(place.site, entry.release_id);
  } else if (entry.step == Step::activating) {
    endpoint.revert(place.site, entry.release_id, "");
  } else {
    endpoint.commit(place.site, entry.release_id, place.keep_releases,
                    {begun.action == Action::rollback ? "rollback" : "commit", begun.config, begun.message});
  }
}

// What the run has come to once all of this is settled: what the hosts run now decides.
ExitCode come_to(const std::vector<JournalEntry>& entries) {
  const auto was = [&](Step step) {
    return std::any_of(entries.begin(), entries.end(),
                       [&](const JournalEntry& entry) { return entry.step == step; });
  };
  if (was(Step::committing)) return ExitCode::some_hosts_failed;
  return was(Step::activating) ? ExitCode::rolled_back : ExitCode::nothing_activated;
}

event::Outcome outcome_of(Step settled) {
  if (settled == Step::committing) return event::Outcome::deployed;
  return settled == Step::activating ? event::Outcome::rolled_back : event::Outcome::not_activated;
}

void tell_end(const Run& run, const Place& place, const JournalEntry& entry, event::Outcome outcome) {
  event::ModuleFinished end;
  end.module = place.module;
  end.host = place.host.name;
  end.outcome = outcome;
  end.release_id = entry.release_id;
  end.version = place.version;
  run.around.sink.handle(end);
}

// Commits begin when everything that was activated before is live everywhere: what was being activated when
// the first one was announced is completed, and not taken back. (A module with a procedure of its own commits
// before the others are activated, and decides nothing for them.)
std::vector<JournalEntry> to_settle(const std::vector<JournalEntry>& entries) {
  std::set<std::size_t> decided;  // places
  std::set<std::size_t> activating;
  for (const JournalEntry& entry : entries) {
    if (entry.step == Step::committing) decided.merge(activating);
    if (entry.step == Step::activating) activating.insert(entry.place);
    if (entry.step == Step::staging || entry.step == Step::undone) decided.erase(entry.place);
    if (entry.step != Step::activating) activating.erase(entry.place);
  }
  std::vector<JournalEntry> open = open_steps(entries);
  for (JournalEntry& entry : open) {
    if (decided.contains(entry.place)) entry.step = Step::committing;
  }
  return open;
}

// False when it could not be settled, which is told.
bool settle_and_tell(Run& run, RunFolder& folder, const JournalEntry& entry) {
  const Place& place = folder.facts().places[entry.place];
  const bool forward = entry.step == Step::committing;
  try {
    settle_one(run, folder.facts().request, place, entry);
    folder.record(entry.place, forward ? Step::done : Step::undone);
    const char* how = forward ? "is live and committed" : "is put back";
    run.say(event::Level::info, fmt::format("{} on {} {}", place.module, place.host.name, how));
    return true;
  } catch (const base::Error& error) {
    run.around.sink.handle(event::Failure{place.host.name, place.module, static_cast<int>(error.code()),
                                          base::format_error(error)});
    return false;
  }
}

}  // namespace

ExitCode settle(Run& run) {
  std::optional<RunFolder> folder =
      RunFolder::open(run.around.world.state_folder(), run.request.run_id, Patience::yes);
  if (!folder) return ExitCode::internal;  // it ended before anything was staged
  const std::vector<JournalEntry> entries = folder->journal().entries();
  const std::vector<JournalEntry> open = to_settle(entries);
  ExitCode code = come_to(entries);
  for (auto entry = open.rbegin(); entry != open.rend(); ++entry) {  // last module first
    const bool was_live = entry->step != Step::staging;
    const bool settled = settle_and_tell(run, *folder, *entry);
    const event::Outcome left = was_live ? event::Outcome::rollback_failed : event::Outcome::not_activated;
    tell_end(run, folder->facts().places[entry->place], *entry, settled ? outcome_of(entry->step) : left);
    if (!settled && was_live) code = ExitCode::rollback_failed;
  }
  const bool settled = open_steps(folder->journal().entries()).empty();
  const bool can_resume = folder->facts().request.action == Action::deploy && !folder->is_committed();
  if (settled && !can_resume) folder->remove();
  return code;
}

bool settle_to_resume(Run& run, RunFolder& folder) {
  const std::vector<JournalEntry> open = to_settle(folder.journal().entries());
  bool settled = true;
  for (auto entry = open.rbegin(); entry != open.rend(); ++entry) {
    if (entry->step != Step::staging) settled = settle_and_tell(run, folder, *entry) && settled;
  }
  return settled;
}

}  // namespace porter::engine
