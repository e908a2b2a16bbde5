// What killed runs left behind, removed or undone by the next one that holds the lock.
#include <fmt/format.h>

#include <algorithm>

#include "core/agent/failpoint.h"
#include "core/agent/inplace.h"
#include "core/agent/interrupted.h"
#include "core/agent/marks.h"
#include "core/agent/outside.h"
#include "core/agent/site_parts.h"

namespace porter::agent {
namespace {

// Names below .porter of files that were being written.
std::vector<std::string> temporary_files(const SiteFolders& site) {
  std::vector<std::string> files;
  for (const std::string folder : {"", "manifests", "pinned", "bad", "frozen"}) {
    if (!folder.empty() && !site.porter.exists(folder)) continue;
    for (const FolderEntry& entry : site.porter.list(folder)) {
      if (entry.name.rfind("tmp-", 0) == 0)
        files.push_back(folder.empty() ? entry.name : folder + "/" + entry.name);
    }
  }
  return files;
}

// An activation that did not get as far as the live name never was; nor was one whose revert got as far as
// giving the name back; and a revert of a failed release is ended once it began.
std::optional<Journal> half_activation(const SiteFolders& site) {
  std::optional<Journal> journal = read_journal(site.porter);
  if (!journal) return std::nullopt;
  const std::string live = site.live();
  if (journal->id == live && !(reverting(site, live) && restorable(site, *journal))) return std::nullopt;
  if (journal->id != live && journal->state == JournalState::committed && journal->previous != live)
    return std::nullopt;
  return journal;
}

void tell_failures(const SiteFolders& site, const std::string& id, const std::vector<std::string>& failures,
                   const Holder& self) {
  for (const std::string& failure : failures) {
    HistoryRecord record;
    record.action = "revert";
    record.release = id;
    record.who = name_of(self);
    record.message = "an undo step failed: " + failure;
    append_history(site, record);
  }
}

void settle_activation(const SiteFolders& site, const std::string& keep_release, const Holder& self,
                       const base::CancelToken& lost) {
  const std::optional<Journal> journal = half_activation(site);
  if (!journal) return;
  // What was staged for an inplace release is used up by then.
  const bool wanted = site.layout == Layout::releases && journal->id == keep_release;
  if (wanted && !reverting(site, journal->id)) {
    const auto failures = rewind_to_seal(
        site, journal->id, [&] { revert_release(site, *journal); }, lost);
    tell_failures(site, journal->id, failures, self);
    return site.remove_journal();
  }
  const std::optional<BadMark> bad = bad_mark(site, journal->id);
  tell_failures(site, journal->id, finish_revert(site, journal->id, bad ? bad->reason : "", self, lost),
                self);
}

// Gives the undo steps that failed.
std::vector<std::string> settle_stage(const SiteFolders& site, const std::string& id,
                                      const std::string& keep_release, const Holder& self,
                                      const base::CancelToken& lost) {
  const bool sealed = site.sealed(id);
  if (id == keep_release && sealed && !reverting(site, id))
    return rewind_to_seal(
        site, id, [] {}, lost);
  const std::optional<Journal> journal = read_journal(site.porter);
  const bool activated = journal && journal->id == id;
  if (site.arriving(id) && !sealed && !activated) return interrupt_stage(site, id, lost);
  return finish_revert(site, id, "", self, lost);
}

void settle_stages(const SiteFolders& site, const std::string& keep_release, const Holder& self,
                   const base::CancelToken& lost) {
  const std::string live = site.live();
  const std::optional<Journal> journal = read_journal(site.porter);
  const bool committed = journal && journal->id == live && journal->state == JournalState::committed;
  if (committed) site.unmark(live);
  for (const std::string& id : site.marks()) {
    if (id != live) tell_failures(site, id, settle_stage(site, id, keep_release, self, lost), self);
  }
}

// Steps of the live release are ended, and forgotten once it is committed. Those of a rollback that was not
// activated are undone.
void settle_outside(const SiteFolders& site, const std::string& keep_release, const Holder& self,
                    const base::CancelToken& lost) {
  const std::string live = site.live();
  const std::optional<Journal> journal = read_journal(site.porter);
  const bool pending = journal && journal->id == live && journal->state == JournalState::begun;
  for (const std::string& id : site.ids_in("outside")) {
    if (id == live) {
      place_rest(site, id);
      if (!pending) note_committed(site, id);
    } else if (id != keep_release && undo_waits(site, id)) {
      tell_failures(site, id,
                    take_back(
                        site, id, [] {}, lost),
                    self);
    }
    if (!site.sealed(id) && !site.marked(id) && id != live) site.remove_tree(".porter/outside/" + id);
  }
}

// Of rollbacks, and of releases that are gone.
std::size_t count_outside(const SiteFolders& site) {
  const std::vector<std::string> ids = site.ids_in("outside");
  return static_cast<std::size_t>(std::count_if(ids.begin(), ids.end(), [&](const std::string& id) {
    return !site.marked(id) && (undo_waits(site, id) || !site.sealed(id));
  }));
}

// Somebody removed a release's folder by hand: its seal and marks stand for nothing.
std::vector<std::string> empty_seals(const SiteFolders& site) {
  std::vector<std::string> paths;
  for (const std::string folder : {"manifests", "pinned", "bad"}) {
    for (const std::string& id : site.ids_in(folder)) {
      if (!site.sealed(id)) paths.push_back(folder + "/" + id);
    }
  }
  return paths;
}

std::vector<std::string> old_undo(const SiteFolders& site) {
  const std::optional<Journal> journal = read_journal(site.porter);
  std::vector<std::string> names;
  for (const FolderEntry& entry : site.porter.list("undo")) {
    const bool last = journal && journal->id == entry.name;
    const bool under_it =
        journal && journal->back && journal->state == JournalState::begun && journal->previous == entry.name;
    if (!last && !under_it) names.push_back(entry.name);
  }
  return names;
}

}  // namespace

std::vector<std::string> interrupt_stage(const SiteFolders& site, const std::string& id,
                                         const base::CancelToken& lost) {
  std::vector<std::string> failures = take_back(
      site, id, [] {}, lost);
  keep_interrupted(site, id);
  site.remove_release(id);
  return failures;
}

void remove_old_undo(const SiteFolders& site) {
  for (const std::string& name : old_undo(site))
    site.remove_tree(".porter/undo/" + name);
}

void settle_leftovers(const SiteFolders& site, const std::string& keep_release, const Holder& self,
                      const base::CancelToken& lost) {
  reach("settle: begin");
  for (const std::string& path : temporary_files(site))
    site.porter.remove_all(path);
  settle_activation(site, keep_release, self, lost);
  settle_stages(site, keep_release, self, lost);
  settle_outside(site, keep_release, self, lost);
  for (const std::string& path : empty_seals(site))
    site.porter.remove_file(path);
  remove_old_undo(site);
  site.empty_trash();
  reach("settle: end");
}

std::uint64_t count_leftovers(const SiteFolders& site) {
  const std::optional<Journal> journal = read_journal(site.porter);
  const std::string live = site.live();
  const std::vector<std::string> marks = site.marks();
  // One that is live and not committed is pending, which is more than a leftover.
  const bool pending = journal && journal->id == live && journal->state == JournalState::begun;
  const auto left = std::count_if(marks.begin(), marks.end(),
                                  [&](const std::string& id) { return !pending || id != live; });
  return static_cast<std::uint64_t>(left) + temporary_files(site).size() + empty_seals(site).size() +
         old_undo(site).size() + count_outside(site) + site.porter.list("trash").size() +
         (half_activation(site) ? 1 : 0);
}

}  // namespace porter::agent
