#pragma once
// The spare: a release that nobody needs any more becomes the material of the next one, so that a deploy's
// cost follows the change and not the tree. At most one a site, layout releases only. It is no release: it
// has no seal, and nothing ever goes back to it.
//
// On disk: .porter/spare/ is the tree, .porter/spare.seal was its seal. Both moves are renames, and the
// release is marked while they are made, so that a killed one is a leftover like any unfinished stage.

#include <memory>
#include <string>

#include "core/agent/site_folders.h"

namespace porter::agent {

// The sealed release `id`, which is not live, becomes the spare, and what else belonged to it goes. False
// when there is a spare already. The lock is held.
bool make_spare(const SiteFolders& site, const std::string& id);

// The spare becomes the folder releases/<id>, which is marked and does not exist; gives what its seal said.
// Null when there is none, when what it was cannot be read, or while a process that we can see works in
// it.
std::shared_ptr<const sync::Seal> take_spare(const SiteFolders& site, const std::string& id);

// Reads what its seal says before take_spare() has to.
void foresee_spare(const SiteFolders& site) noexcept;

// Removes it, if there is one.
void drop_spare(const SiteFolders& site);

}  // namespace porter::agent
