#pragma once
// Whose code is opened. A plugin runs with all rights of the operator, so nobody but the operator and root
// may be able to put other code in its place: the file and every folder above it belong to root or to this
// user, and others cannot write there.

#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

namespace porter::plugin {

struct TrustRules {
  // [plugins] trust: files or folders whose group may write (a team's shared folder); all below counts too.
  std::vector<std::filesystem::path> trusted;
  uid_t self = ::geteuid();
};

// The canonical path of `file`, to be opened by that name. Throws base::Error(plugin_refused): not absolute,
// no regular file, owned by somebody else, world-writable (a sticky folder such as /tmp is no fault: others
// cannot rename there), or group-writable when the group is not the owner's private one and the path is not
// trusted. The hint is the command that mends it.
std::filesystem::path check_trusted(const std::filesystem::path& file, const TrustRules& rules);

// One file's or folder's fault by its owner and mode, or "": "is world-writable (mode 0777)".
std::string fault_of(const std::filesystem::path& path, const struct stat& status, const TrustRules& rules);

}  // namespace porter::plugin
