#include "core/source/git_cache.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "core/base/digest.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/text.h"
#include "core/source/source_url.h"

namespace porter::source {
namespace {

using base::Code;
using base::Error;

constexpr std::chrono::minutes kListingPatience{5};
constexpr std::chrono::hours kFetchPatience{4};

}  // namespace

GitCache::GitCache(const std::filesystem::path& cache_folder, std::string url)
    : folder_(cache_folder / "git" / base::to_hex(base::sha256(url))),
      url_(std::move(url)),
      name_(base::printable(masked_url(url_))) {}

GitCommand::LocalRepositories GitCache::local_repositories() const {
  return is_local_repository(url_) ? GitCommand::LocalRepositories::allowed
                                   : GitCommand::LocalRepositories::refused;
}

// The remote is given anew at each call: the url, which may hold a password, then stands neither in a file
// nor in the process list.
GitCommand GitCache::command(std::vector<std::string> arguments) const {
  GitCommand out;
  out.arguments = std::move(arguments);
  out.directory = folder_;
  out.config = {{"remote.origin.url", url_}};
  out.local_repositories = local_repositories();
  return out;
}

std::string GitCache::masked(std::string text) const {
  const std::string shown = masked_url(url_);
  if (shown == url_) return text;
  for (std::size_t at = text.find(url_); at != std::string::npos; at = text.find(url_, at + shown.size())) {
    text.replace(at, url_.size(), shown);
  }
  return text;
}

FolderLock GitCache::lock(const base::CancelToken& cancel) const {
  base::make_folders(folder_, 0700);
  return FolderLock::wait(folder_ / "lock", cancel);
}

RemoteRefs GitCache::list_remote(const base::CancelToken& cancel) const {
  base::make_folders(folder_, 0700);
  GitCommand listing =
      command({"ls-remote", "--symref", "--quiet", "origin", "HEAD", "refs/heads/*", "refs/tags/*"});
  listing.deadline = base::Deadline::in(kListingPatience);
  const base::CommandResult result = run_git(listing, cancel);
  if (result.ok()) return parse_remote_refs(result.output);
  throw Error(Code::source,
              fmt::format("{}: cannot read the repository: {}", name_, masked(git_complaint(result))))
      .hint(fmt::format("see whether this works: git ls-remote {}", base::quote_shell(masked_url(url_))));
}

bool GitCache::has_commit(const std::string& id, const base::CancelToken& cancel) const {
  if (!std::filesystem::is_directory(repository())) return false;
  GitCommand look = command({"cat-file", "-e", id + "^{commit}"});
  look.git_dir = repository();
  return run_git(look, cancel).ok();
}

std::optional<std::string> GitCache::complete_commit_id(const std::string& start,
                                                        const base::CancelToken& cancel) const {
  GitCommand look = command({"rev-parse", "--verify", "--quiet", start + "^{commit}"});
  look.git_dir = repository();
  const base::CommandResult result = run_git(look, cancel);
  const std::string id(base::trim(result.output));
  if (!result.ok() || !id.starts_with(start)) return std::nullopt;
  return id;
}

// Made beside its place and renamed, so that a repository is there whole or not at all.
void GitCache::create(std::size_t id_length, const base::CancelToken& cancel) const {
  const std::filesystem::path fresh = folder_ / "repository.new";
  base::remove_tree(fresh);
  const std::string format = id_length == 64 ? "--object-format=sha256" : "--object-format=sha1";
  git_output(command({"init", "--quiet", "--bare", "--template=", format, fresh.string()}), folder_.string(),
             cancel);
  std::filesystem::rename(fresh, repository());
}

base::CommandResult GitCache::fetch_all(const base::CancelToken& cancel) const {
  GitCommand fetch = command({"fetch", "--quiet", "--force", "--prune", "--no-tags", "--no-write-fetch-head",
                              "origin", "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"});
  fetch.git_dir = repository();
  fetch.deadline = base::Deadline::in(kFetchPatience);
  return run_git(fetch, cancel);
}

void GitCache::fetch(std::size_t id_length, const base::CancelToken& cancel) const {
  if (std::filesystem::is_directory(repository()) && fetch_all(cancel).ok()) return;
  // Whatever is wrong with it, a new one is right; only a remote that cannot be read is a reason to give up.
  list_remote(cancel);
  remove();
  create(id_length, cancel);
  const base::CommandResult result = fetch_all(cancel);
  if (!result.ok())
    throw Error(Code::source, fmt::format("{}: cannot fetch: {}", name_, masked(git_complaint(result))));
}

void GitCache::fetch_commit(const std::string& id, const base::CancelToken& cancel) const {
  GitCommand fetch = command({"fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "origin", id});
  fetch.git_dir = repository();
  fetch.deadline = base::Deadline::in(kFetchPatience);
  run_git(fetch, cancel);
}

bool GitCache::is_sound(const base::CancelToken& cancel) const {
  GitCommand check = command({"fsck", "--no-dangling", "--no-progress"});
  check.git_dir = repository();
  return run_git(check, cancel).ok();
}

void GitCache::remove() const {
  base::remove_tree(repository());
}

}  // namespace porter::source
