#pragma once
// What a release does outside of its tree: files that it brings, and programs that are run when it is taken
// back, in one order (undo_list.h). Used by Site's parts; the site's lock is held. One thread.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/agent/receiver.h"
#include "core/agent/undo_list.h"
#include "core/base/cancel.h"

namespace porter::agent {

// The list of `id` with a section that is going on: begun when there was none.
UndoList open_list(const SiteFolders& site, const std::string& id);

// Throws Error(usage) for a path that cannot be a file outside of the site, Error(refused) for a folder.
void check_outside(const SiteFolders& site, const std::string& path);
// Takes the content and adds the file to the release; it is placed at once when the others are.
std::unique_ptr<Receiver> receive_outside(std::shared_ptr<const SiteFolders> site, const std::string& id,
                                          const std::string& path, std::uint32_t mode);
// Puts every file of the section that is not there yet in place; none that come later waits.
void place_outside(const SiteFolders& site, UndoList& list);

// Adds to the section what makes the outside be as it was when `id` was live: its own files, with the content
// of then, and what was there before for those that came since. Throws Error(refused), with nothing added,
// when that is not known any more. (outside_rollback.cc)
void plan_rollback(const SiteFolders& site, UndoList& list);
// What a release that goes leaves to be known of it: that it had files. (outside_rollback.cc)
void remember_forgotten(const SiteFolders& site, const std::string& id);

// What was being placed of a live release when its run was killed; what cannot be placed stays as it is.
void place_rest(const SiteFolders& site, const std::string& id);

// Notes that need no list, and make none.
void note_sealed(const SiteFolders& site, const std::string& id);
void note_switching(const SiteFolders& site, const std::string& id, const std::string& run_id);
void note_committed(const SiteFolders& site, const std::string& id);

// Whether going back has begun and did not end.
bool undo_begun(const SiteFolders& site, const std::string& id);
// Whether there are steps of a release that is not live, nor about to be.
bool undo_waits(const SiteFolders& site, const std::string& id);

// Undoes the section's steps, the last first, with `switch_back` where the switch was among them; also when
// there are none. Goes on with steps that an earlier call did not get to, and past those that fail, and tells
// why they did. Interrupted passes, once `lost` comes in a program.
std::vector<std::string> take_back(const SiteFolders& site, const std::string& id,
                                   const std::function<void()>& switch_back, const base::CancelToken& lost);
// The same for what came after the seal, and files are prepared anew; programs of before are kept.
std::vector<std::string> rewind_to_seal(const SiteFolders& site, const std::string& id,
                                        const std::function<void()>& switch_back,
                                        const base::CancelToken& lost);

// Throws Error(remote) that names each, if there are any.
void throw_failures(const SiteFolders& site, const std::vector<std::string>& failures);

}  // namespace porter::agent
