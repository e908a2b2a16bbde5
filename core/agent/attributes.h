#pragma once
// The extended attributes of a tree's entries on this machine: of those that are kept
// (sync::is_kept_attribute) an entry has exactly what its tree says; others are left alone. Any thread.

#include <optional>
#include <string>

#include "core/base/attributes.h"
#include "core/sync/extra.h"

namespace porter::agent {

// Nothing when they may not be read.
std::optional<bool> has_attributes(const base::AttributesAt& at, const sync::PackedExtra& extra);

// Makes an open file or folder have them; false when it does so already. Owner and content come before, since
// what changes these takes capabilities away, and the mode comes after it: it is changed here where its owner
// could not write. Throws Error(refused) for what this user or the file system does not allow.
bool set_attributes(int fd, const sync::PackedExtra& extra, const std::string& subject);

}  // namespace porter::agent
