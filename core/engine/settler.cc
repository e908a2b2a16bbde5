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
  connection.endpoint->lock(lock_for(run, entry, settings));
  if (entry.step == Step::staging) {
    connection.endpoint->discard(entry.site, entry.release_id);
  } else if (entry.step == Step::activating) {
    connection.endpoint->revert(entry.site, entry.release_id, "");
  } else {
    connection.endpoint->commit(entry.site, entry.release_id,
                                static_cast<std::uint32_t>(settings.keep_releases()), {});
  }
}

// What the run has come to when this entry is settled, too: what the hosts run now decides.
ExitCode worse(ExitCode before, Step step) {
  if (before == ExitCode::rollback_failed || step == Step::staging) return before;
  if (before == ExitCode::some_hosts_failed || step == Step::committing) return ExitCode::some_hosts_failed;
  return ExitCode::rolled_back;
}

// Commits begin when everything is live everywhere: from the first one on nothing of the run is taken back.
void hold_to_decision(std::vector<JournalEntry>& open) {
  const bool decided = std::any_of(open.begin(), open.end(),
                                   [](const JournalEntry& entry) { return entry.step == Step::committing; });
  for (JournalEntry& entry : open) {
    if (decided && entry.step == Step::activating) entry.step = Step::committing;
  }
}

}  // namespace

ExitCode settle(Run& run) {
  const std::filesystem::path state = run.around.world.state_folder();
  std::vector<JournalEntry> open = Journal::read_unfinished(state, run.request.run_id);
  if (open.empty())
    return ExitCode::internal;  // it ended before anything was staged, or after everything was done
  hold_to_decision(open);
  load_project(run);
  ExitCode code = ExitCode::nothing_activated;
  bool all = true;
  for (auto entry = open.rbegin(); entry != open.rend(); ++entry) {
    try {
      settle_one(run, *entry);
      code = worse(code, entry->step);
      const char* how = entry->step == Step::committing ? "is live and committed" : "is put back";
      run.say(event::Level::info, fmt::format("{} on {} {}", entry->module, entry->host, how));
    } catch (const base::Error& error) {
      all = false;
      if (entry->step != Step::staging) code = ExitCode::rollback_failed;
      run.around.sink.handle(event::Failure{entry->host, entry->module, static_cast<int>(error.code()),
                                            base::format_error(error)});
    }
  }
  if (all) Journal::settled(state, run.request.run_id);
  return code;
}

}  // namespace porter::engine
