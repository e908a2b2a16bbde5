// What killed runs left behind, removed or undone by the next one that holds the lock.
#include <fmt/format.h>

#include <algorithm>

#include "core/agent/failpoint.h"
#include "core/agent/inplace.h"
#include "core/agent/site_parts.h"

namespace porter::agent {
namespace {

bool temporary(const std::string& name) {
  return name.rfind("tmp-", 0) == 0;
}

std::vector<std::string> temporary_files(const SiteFolders& site) {
  std::vector<std::string> paths;
  for (const std::string folder : {"", "manifests"}) {
    for (const FolderEntry& entry : site.porter.list(folder)) {
      if (temporary(entry.name)) paths.push_back(folder.empty() ? entry.name : folder + "/" + entry.name);
    }
  }
  return paths;
}

// An activation that did not get as far as the live name never was. Nor was one whose revert got as far as
// giving the name back.
std::optional<Journal> half_activation(const SiteFolders& site) {
  std::optional<Journal> journal = read_journal(site.porter);
  const std::string live = site.live();
  if (!journal || journal->id == live) return std::nullopt;
  if (journal->state == JournalState::committed && journal->previous != live) return std::nullopt;
  return journal;
}

void settle_activation(const SiteFolders& site, const std::string& keep_release) {
  const std::optional<Journal> journal = half_activation(site);
  if (!journal) return;
  const bool inplace = site.layout == Layout::inplace;
  if (inplace)
    revert_inplace(site, *journal);
  else
    revert_release(site, *journal);
  // What was staged for an inplace release is used up by then.
  if ((inplace || journal->id != keep_release) && site.marked(journal->id)) site.remove_release(journal->id);
  site.remove_journal();
}

void remove_stages(const SiteFolders& site, const std::string& keep_release) {
  const std::string live = site.live();
  const std::optional<Journal> journal = read_journal(site.porter);
  for (const std::string& id : site.marks()) {
    const bool committed = journal && journal->id == id && journal->state == JournalState::committed;
    if (id == live && committed) site.unmark(id);
    if (id == live || (id == keep_release && site.sealed(id))) continue;
    site.remove_release(id);
  }
}

std::vector<std::string> empty_seals(const SiteFolders& site) {
  std::vector<std::string> ids;
  for (const FolderEntry& entry : site.porter.list("manifests")) {
    if (is_release_id(entry.name) && !site.sealed(entry.name)) ids.push_back(entry.name);
  }
  return ids;
}

// Somebody removed a release's folder by hand: its seal stands for nothing.
void remove_empty_seals(const SiteFolders& site) {
  for (const std::string& id : empty_seals(site))
    site.porter.remove_file("manifests/" + id);
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

void settle_leftovers(const SiteFolders& site, const std::string& keep_release) {
  reach("settle: begin");
  for (const std::string& path : temporary_files(site))
    site.porter.remove_all(path);
  settle_activation(site, keep_release);
  remove_stages(site, keep_release);
  remove_empty_seals(site);
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
