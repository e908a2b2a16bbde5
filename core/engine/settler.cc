#include "core/engine/settler.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/engine/connect.h"
#include "core/engine/journal.h"
#include "core/engine/prepare.h"

namespace porter::engine {
namespace {

using base::ExitCode;

protocol::LockRequest lock_for(const Run& run, const JournalEntry& entry,
                               const settings::ModuleSettings& settings) {
  protocol::LockRequest lock;
  lock.site = entry.site;
  const bool inplace = settings.layout() == settings::Layout::inplace;
  lock.layout = inplace ? protocol::Layout::inplace : protocol::Layout::releases;
  const std::string who = Run::user();
  const std::size_t at = who.rfind('@');
  lock.note = {run.request.run_id, who.substr(0, at), who.substr(at + 1), base::format_iso(run.started),
               "settling of " + entry.module};
  return lock;
}

void settle_one(Run& run, const JournalEntry& entry) {
  const settings::Host* host = run.project.find_host(entry.host);
  const settings::Module* module = run.project.find_module(entry.module);
  if (host == nullptr || module == nullptr) {
    throw base::Error(base::Code::missing,
                      fmt::format("the project has no {} on {} any more", entry.module, entry.host));
  }
  const settings::ModuleSettings settings = run.project.settings_for(*module, *host, run.request.config);
  HostRun connection;
  connection.host = *host;
  connection.become = settings.become();
  connect(run, connection);
  if (connection.failure) throw base::Error(*connection.failure);
  lock_again(run, connection, lock_for(run, entry, settings));
  if (entry.step == Step::staging) {
    connection.endpoint->discard(entry.site, entry.release_id);
  } else if (entry.step == Step::activating) {
    connection.endpoint->revert(entry.site, entry.release_id, "");
  } else {
    connection.endpoint->commit(entry.site, entry.release_id,
                                static_cast<std::uint32_t>(settings.keep_releases()), {});
  }
}

// What the run has come to once all of this is settled: what the hosts run now decides.
ExitCode come_to(Step furthest) {
  if (furthest == Step::committing) return ExitCode::some_hosts_failed;
  return furthest == Step::activating ? ExitCode::rolled_back : ExitCode::nothing_activated;
}

event::Outcome outcome_of(Step settled) {
  if (settled == Step::committing) return event::Outcome::deployed;
  return settled == Step::activating ? event::Outcome::rolled_back : event::Outcome::not_activated;
}

void tell_end(const Run& run, const JournalEntry& entry, event::Outcome outcome) {
  event::ModuleFinished end;
  end.module = entry.module;
  end.host = entry.host;
  end.outcome = outcome;
  end.release_id = entry.release_id;
  run.around.sink.handle(end);
}

// Commits begin when everything is live everywhere: from the first one on nothing of the run is taken back.
void hold_to_decision(std::vector<JournalEntry>& open) {
  const bool decided = std::any_of(open.begin(), open.end(),
                                   [](const JournalEntry& entry) { return entry.step == Step::committing; });
  for (JournalEntry& entry : open) {
    if (decided && entry.step == Step::activating) entry.step = Step::committing;
  }
}

// False when it could not be settled, which is told.
bool settle_and_tell(Run& run, const JournalEntry& entry) {
  try {
    settle_one(run, entry);
    const char* how = entry.step == Step::committing ? "is live and committed" : "is put back";
    run.say(event::Level::info, fmt::format("{} on {} {}", entry.module, entry.host, how));
    tell_end(run, entry, outcome_of(entry.step));
    return true;
  } catch (const base::Error& error) {
    run.around.sink.handle(
        event::Failure{entry.host, entry.module, static_cast<int>(error.code()), base::format_error(error)});
    const bool was_live = entry.step != Step::staging;
    tell_end(run, entry, was_live ? event::Outcome::rollback_failed : event::Outcome::not_activated);
    return false;
  }
}

}  // namespace

ExitCode settle(Run& run) {
  const std::filesystem::path state = run.around.world.state_folder();
  const std::optional<Step> furthest = Journal::furthest(state, run.request.run_id);
  if (!furthest) return ExitCode::internal;  // it ended before anything was staged
  std::vector<JournalEntry> open = Journal::read_unfinished(state, run.request.run_id);
  hold_to_decision(open);
  if (!open.empty()) load_project(run);
  ExitCode code = come_to(*furthest);
  bool all = true;
  for (auto entry = open.rbegin(); entry != open.rend(); ++entry) {
    if (settle_and_tell(run, *entry)) continue;
    all = false;
    if (entry->step != Step::staging) code = ExitCode::rollback_failed;
  }
  if (all) Journal::settled(state, run.request.run_id);
  return code;
}

}  // namespace porter::engine
