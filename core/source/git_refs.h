#pragma once
// The branches and tags of a remote repository, and which commit a wanted ref means. Pure; any thread.

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/source/source.h"

namespace porter::source {

struct RemoteRefs {
  std::string head_branch;                      // "" when HEAD names no branch
  std::string head_commit;                      // "" for a repository without commits
  std::map<std::string, std::string> branches;  // name to commit id
  std::map<std::string, std::string> tags;      // name to the id of what it finally points to
};

struct PinnedRef {
  std::string commit;
  std::string label;  // "branch release/0.1.2", "tag v1", "" for a bare commit id
};

// Reads the output of `git ls-remote --symref`. Throws Error(source) when it is something else.
RemoteRefs parse_remote_refs(std::string_view listing);

// Nothing when there is no such ref. Not for commit ids: they may be reachable without being named.
std::optional<PinnedRef> find_ref(const RemoteRefs& refs, RefKind kind, const std::string& ref);

// What to tell about a ref that is not there: the known ones, the nearest first. `subject` names the
// repository.
base::Error unknown_ref(const RemoteRefs& refs, RefKind kind, const std::string& ref,
                        std::string_view subject);

// A whole object id: 40 hexadecimal digits, or 64 in a SHA-256 repository.
bool is_full_commit_id(std::string_view text);
// The beginning of one or a whole one: 7 to 64 hexadecimal digits, of either case.
bool may_be_commit_id(std::string_view text);

}  // namespace porter::source
