#include "core/source/git_source.h"

#include <fmt/format.h>

#include <utility>

#include "core/base/digest.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/source/git_tree.h"

namespace porter::source {
namespace {

using base::Code;
using base::Error;

// The module's tree keeps its name over the runs; a digest, since a module's name and folder may hold
// anything.
std::string tree_name(const SourceRequest& request) {
  return base::to_hex(base::sha256(request.module_folder.string() + '\0' + request.module_name))
      .substr(0, 16);
}

std::string version_text(const PinnedRef& pinned) {
  const std::string start = pinned.commit.substr(0, 8);
  return pinned.label.empty() ? start : fmt::format("{} ({})", start, base::printable(pinned.label));
}

// 40 or 64 digits, by any id that the remote told; 0 when it has none at all.
std::size_t object_id_length(const RemoteRefs& refs) {
  if (!refs.branches.empty()) return refs.branches.begin()->second.size();
  if (!refs.tags.empty()) return refs.tags.begin()->second.size();
  return refs.head_commit.size();
}

// Fills the tree; when that fails begins with an empty tree, and when the cache itself is broken with a new
// cache.
void fill_whatever_is_there(const GitTree& tree, const GitCache& cache, const std::string& commit,
                            const base::CancelToken& cancel) {
  try {
    return tree.fill(commit, cancel);
  } catch (const Error&) {
    tree.remove();
  }
  try {
    return tree.fill(commit, cancel);
  } catch (const Error&) {
    if (cache.is_sound(cancel)) throw;  // not ours to repair: a missing submodule, a full disk
  }
  tree.remove();
  cache.list_remote(cancel);  // before the only copy is given up
  cache.remove();
  cache.fetch(commit.size(), cancel);
  if (!cache.has_commit(commit, cancel)) cache.fetch_commit(commit, cancel);
  tree.fill(commit, cancel);
}

}  // namespace

GitSource::GitSource(SourceRequest request, const std::string& location)
    : request_(std::move(request)), cache_(request_.cache_folder, location) {}

std::string GitSource::pin(const base::CancelToken& cancel) {
  if (!pinned_) pinned_ = resolve(cancel);
  return pinned_->commit;
}

PinnedRef GitSource::resolve(const base::CancelToken& cancel) const {
  if (request_.kind == RefKind::commit) return resolve_commit(cancel);
  const RemoteRefs refs = cache_.list_remote(cancel);
  if (auto found = find_ref(refs, request_.kind, request_.ref)) return *found;
  // `tag` may hold a commit id as well; a tag of that name is stronger.
  if (request_.kind == RefKind::tag && may_be_commit_id(request_.ref)) return resolve_commit(cancel);
  throw unknown_ref(refs, request_.kind, request_.ref, cache_.name());
}

// A commit never changes: one that the cache has needs no network at all.
PinnedRef GitSource::resolve_commit(const base::CancelToken& cancel) const {
  const FolderLock lock = cache_.lock(cancel);
  const std::string wanted = base::lower(request_.ref);
  const bool is_full = is_full_commit_id(wanted);
  if (is_full && cache_.has_commit(wanted, cancel)) return {wanted, ""};
  const RemoteRefs refs = cache_.list_remote(cancel);
  const std::size_t id_length = object_id_length(refs);
  if (id_length == 0) throw unknown_ref(refs, RefKind::commit, request_.ref, cache_.name());
  cache_.fetch(id_length, cancel);
  if (is_full && !cache_.has_commit(wanted, cancel)) cache_.fetch_commit(wanted, cancel);
  if (const auto id = cache_.complete_commit_id(wanted, cancel)) return {*id, ""};
  throw unknown_ref(refs, RefKind::commit, request_.ref, cache_.name());
}

void GitSource::obtain(const std::string& commit, const base::CancelToken& cancel) const {
  if (cache_.has_commit(commit, cancel)) return;
  cache_.fetch(commit.size(), cancel);
  if (cache_.has_commit(commit, cancel)) return;
  cache_.fetch_commit(commit, cancel);  // the branch moved away from it since it was pinned
  if (cache_.has_commit(commit, cancel)) return;
  throw Error(Code::missing, fmt::format("{}: {} is no commit there, or not any more", cache_.name(), commit))
      .hint("run again to take what the branch or tag is now");
}

std::int64_t GitSource::commit_time(const std::string& commit, const base::CancelToken& cancel) const {
  GitCommand show;
  show.arguments = {"show", "--no-patch", "--no-show-signature", "--format=%ct", commit};
  show.directory = cache_.trees();
  show.git_dir = cache_.repository();
  const std::string text = git_output(show, cache_.name(), cancel);
  return base::parse_integer(base::trim(text)).value_or(0);
}

Checkout GitSource::checkout(const base::CancelToken& cancel) {
  const std::string commit = pin(cancel);
  const FolderLock lock = cache_.lock(cancel);
  obtain(commit, cancel);
  const GitTree tree = GitTree::claim(cache_, tree_name(request_));
  fill_whatever_is_there(tree, cache_, commit, cancel);
  Checkout out;
  out.tree = tree.tree();
  out.commit = commit;
  out.version = version_text(*pinned_);
  out.commit_time = commit_time(commit, cancel);
  out.identity = Checkout::Identity::git_like;
  out.is_private_copy = true;
  out.hold = tree.hold();
  return out;
}

}  // namespace porter::source
