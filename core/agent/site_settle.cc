// What killed runs left behind, removed or undone by the next one that holds the lock.
#include <fmt/format.h>

#include "core/agent/failpoint.h"
#include "core/agent/inplace.h"
#include "core/agent/site_parts.h"

namespace porter::agent {
namespace {

bool temporary(const std::string& name) {
  return name.rfind("tmp-", 0) == 0;
}

void remove_temporary_files(const SiteFolders& site) {
  for (const std::string folder : {"", "manifests"}) {
    for (const FolderEntry& entry : site.porter.list(folder)) {
      if (temporary(entry.name))
        site.porter.remove_all(folder.empty() ? entry.name : folder + "/" + entry.name);
    }
  }
}

// An activation that did not get as far as the live name never was. Nor was one whose revert got as far as
// giving the name back.
void settle_activation(const SiteFolders& site, const std::string& keep_release) {
  const std::optional<Journal> journal = read_journal(site.porter);
  const std::string live = site.live();
  if (!journal || journal->id == live) return;
  if (journal->state == JournalState::committed && journal->previous != live) return;
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

// Somebody removed a release's folder by hand: its seal stands for nothing.
void remove_empty_seals(const SiteFolders& site) {
  for (const FolderEntry& entry : site.porter.list("manifests")) {
    if (is_release_id(entry.name) && !site.sealed(entry.name))
      site.porter.remove_file("manifests/" + entry.name);
  }
}

}  // namespace

void remove_old_undo(const SiteFolders& site) {
  const std::optional<Journal> journal = read_journal(site.porter);
  for (const FolderEntry& entry : site.porter.list("undo")) {
    if (!journal || journal->id != entry.name) site.remove_tree(".porter/undo/" + entry.name);
  }
}

void settle_leftovers(const SiteFolders& site, const std::string& keep_release) {
  reach("settle: begin");
  remove_temporary_files(site);
  settle_activation(site, keep_release);
  remove_stages(site, keep_release);
  remove_empty_seals(site);
  remove_old_undo(site);
  site.empty_trash();
  reach("settle: end");
}

}  // namespace porter::agent
