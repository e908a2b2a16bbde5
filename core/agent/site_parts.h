#pragma once
// Inside of Site: what its parts share.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/agent/lock.h"
#include "core/agent/site.h"
#include "core/agent/site_folders.h"

namespace porter::agent {

struct Site::Parts {
  std::string path;
  Layout layout = Layout::releases;
  Durability durability = Durability::full;
  Adopt adopt = Adopt::no;
  Lock lock;
  Holder self;
  sync::IgnoreRules generated;
  base::CancelToken lost;
  std::shared_ptr<SealStore> seals = std::make_shared<SealStore>();
  std::shared_ptr<const SiteFolders> folders;  // since prepare()

  // Throws Error(internal) without the lock.
  const SiteFolders& held() const;
  // What is there without the lock; nothing unless the folder and its .porter exist.
  std::shared_ptr<const SiteFolders> open_folders() const;
};

// "" when the folder is ours or empty, else what makes it somebody else's.
std::string why_foreign(const Beneath& root, const std::optional<Format>& format, Layout layout);
// Throws Error(refused) for a .porter that is not a private folder of this user, and for a format or layout
// that this site may not be used with. Nothing when there is no .porter, or none finished.
std::optional<Format> check_format(const Beneath& root, Layout layout);

// What killed runs left behind, removed; the lock is held. Undo steps that fail are told in the history.
void settle_leftovers(const SiteFolders& site, const std::string& keep_release, const Holder& self,
                      const base::CancelToken& lost);
// How many there are; changes nothing and needs no lock.
std::uint64_t count_leftovers(const SiteFolders& site);

// Layout inplace: what replaced files were kept for activations before the journal's one.
void remove_old_undo(const SiteFolders& site);

// The parts of activate and revert that differ by layout.
void activate_release(const SiteFolders& site, const Journal& journal, Adopt adopt);
void activate_inplace(const SiteFolders& site, const Journal& journal, Unknown unknown,
                      const sync::IgnoreRules& generated);
void revert_release(const SiteFolders& site, const Journal& journal);
void revert_inplace(const SiteFolders& site, const Journal& journal);
// After such an activation's way back, of one that was itself a way back: all is as it was before it.
void give_back(const SiteFolders& site, const Journal& journal);
// Whether what was live before that activation is still there.
bool restorable(const SiteFolders& site, const Journal& journal);
// Whether a release that never was committed is being taken back: that is ended, not given up.
bool reverting(const SiteFolders& site, const std::string& id);
// The whole way back from `id`, whatever of it was done before, and what then becomes of the release. Gives
// the undo steps that failed.
std::vector<std::string> finish_revert(const SiteFolders& site, const std::string& id,
                                       const std::string& reason, const Holder& self,
                                       const base::CancelToken& lost);
// A stage that is given up, after its undo steps; what has arrived of it is kept. Gives the steps that
// failed.
std::vector<std::string> interrupt_stage(const SiteFolders& site, const std::string& id,
                                         const base::CancelToken& lost);
// What is live stays good, whatever its run did not get to say, once another is about to be live.
void keep_live(const SiteFolders& site, const Holder& self);

// Runs `work`, which is less than going back; false when there was no space for it.
bool if_there_is_room(const std::function<void()>& work);

// "ada@laptop".
std::string name_of(const Holder& holder);

// Of an activation whose run ended without a word, or of one that is committed.
HistoryRecord record_of(const SiteFolders& site, const Journal& journal, const Holder& self);
// Appends a line, durably, unless the last one says the same of the same release, or an activation is told
// already: by a run that was killed before its journal said so, perhaps as another action.
void append_history(const SiteFolders& site, const HistoryRecord& record);
std::vector<HistoryRecord> read_history(const Beneath& porter, std::size_t limit);
// The history less what was taken back, each activation once: over the one before it.
std::vector<HistoryRecord> activations(const Beneath& porter);

}  // namespace porter::agent
