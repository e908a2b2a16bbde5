// What killed runs left behind, removed or undone by the next one that holds the lock.
#include <fmt/format.h>

#include <algorithm>

#include "core/agent/failpoint.h"
#include "core/agent/inplace.h"
#include "core/agent/marks.h"
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

void settle_activation(const SiteFolders& site, const std::string& keep_release, const Holder& self) {
  const std::optional<Journal> journal = half_activation(site);
  if (!journal) return;
  // What was staged for an inplace release is used up by then.
  const bool wanted = site.layout == Layout::releases && journal->id == keep_release;
  if (wanted && !reverting(site, journal->id)) {
    revert_release(site, *journal);
    return site.remove_journal();
  }
  const std::optional<BadMark> bad = bad_mark(site, journal->id);
  finish_revert(site, journal->id, bad ? bad->reason : "", self);
}

void settle_stages(const SiteFolders& site, const std::string& keep_release, const Holder& self) {
  const std::string live = site.live();
  const std::optional<Journal> journal = read_journal(site.porter);
  const bool committed = journal && journal->id == live && journal->state == JournalState::committed;
  if (committed) site.unmark(live);
  for (const std::string& id : site.marks()) {
    const bool wanted = id == keep_release && site.sealed(id) && !reverting(site, id);
    if (id != live && !wanted) finish_revert(site, id, "", self);
  }
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
    if (!journal || journal->id != entry.name) names.push_back(entry.name);
  }
  return names;
}

}  // namespace

void remove_old_undo(const SiteFolders& site) {
  for (const std::string& name : old_undo(site))
    site.remove_tree(".porter/undo/" + name);
}

void settle_leftovers(const SiteFolders& site, const std::string& keep_release, const Holder& self) {
  reach("settle: begin");
  for (const std::string& path : temporary_files(site))
    site.porter.remove_all(path);
  settle_activation(site, keep_release, self);
  settle_stages(site, keep_release, self);
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
         old_undo(site).size() + site.porter.list("trash").size() + (half_activation(site) ? 1 : 0);
}

}  // namespace porter::agent
