#pragma once
// Brings to disk what was made, path by path or with all of its file system.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/agent/beneath.h"

namespace porter::agent {

// More than so many files and folders are never synced one by one.
inline constexpr std::size_t kSyncSingly = 2000;

// Whether so many paths are sooner on disk one by one. A few always are. With more the whole file system is
// the quicker way (290 small files and their folders on ext4: 20 to 60 ms against 80 to 230), unless much
// that is not ours waits to be written on this machine: all of that would have to be waited for.
bool is_sooner_singly(std::size_t paths);
// Several at once, files and folders. False when one may not be opened: the file system has to be synced
// then. Throws Error(io).
bool sync_singly(const Beneath& tree, const std::vector<std::string>& paths);

// What waits to be written, by what /proc/meminfo says; 0 when it does not say.
std::uint64_t unwritten_bytes(std::string_view meminfo);

}  // namespace porter::agent
