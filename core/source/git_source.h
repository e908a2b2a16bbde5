#pragma once
// A module's files from a git repository. See source.h for the contract.

#include <optional>
#include <string>

#include "core/source/git_cache.h"
#include "core/source/git_refs.h"
#include "core/source/source.h"

namespace porter::source {

class GitSource : public Source {
 public:
  // `location` as SourceUrl has it for git.
  GitSource(SourceRequest request, const std::string& location);

  std::string pin(const base::CancelToken& cancel) override;
  Checkout checkout(const base::CancelToken& cancel) override;

 private:
  PinnedRef resolve(const base::CancelToken& cancel) const;
  PinnedRef resolve_commit(const base::CancelToken& cancel) const;
  void obtain(const std::string& commit, const base::CancelToken& cancel) const;
  std::int64_t commit_time(const std::string& commit, const base::CancelToken& cancel) const;

  SourceRequest request_;
  GitCache cache_;
  std::optional<PinnedRef> pinned_;
};

}  // namespace porter::source
