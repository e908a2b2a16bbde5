#include "core/source/git_tree.h"

#include <fmt/format.h>

#include <utility>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/text.h"

namespace porter::source {
namespace {

// Quoted as git's configuration files want it (git-config(1), "Syntax").
std::string quote_config(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

}  // namespace

GitTree::GitTree(const GitCache& cache, std::filesystem::path folder, FolderLock lock)
    : cache_(cache), folder_(std::move(folder)), lock_(std::make_shared<FolderLock>(std::move(lock))) {}

GitTree GitTree::claim(const GitCache& cache, const std::string& name) {
  base::make_folders(cache.trees(), 0700);
  for (int number = 0;; ++number) {
    const std::string slot = fmt::format("{}-{}", name, number);
    if (auto lock = FolderLock::attempt(cache.trees() / (slot + ".lock"))) {
      return GitTree(cache, cache.trees() / slot, std::move(*lock));
    }
  }
}

GitCommand GitTree::command(std::vector<std::string> arguments) const {
  GitCommand out;
  out.arguments = std::move(arguments);
  out.directory = tree();
  out.git_dir = folder_ / "git";
  out.work_tree = tree();
  out.inherited = {lock_->descriptor()};
  out.local_repositories = cache_.local_repositories();
  return out;
}

// The url goes into a private file here, since submodules with a relative url are looked for beside it.
void GitTree::create(std::size_t id_length, const base::CancelToken& cancel) const {
  base::make_folders(tree(), 0700);
  const std::string format = id_length == 64 ? "--object-format=sha256" : "--object-format=sha1";
  GitCommand init = command({"init", "--quiet", "--template=", format});
  git_output(init, folder_.string(), cancel);
  const std::filesystem::path git = folder_ / "git";
  base::make_folders(git / "objects" / "info", 0700);
  // Relative to the objects folder: the cache may stand under a name that this one-path-a-line file cannot
  // hold.
  base::write_file(git / "objects" / "info" / "alternates", "../../../../repository/objects\n");
  const std::string config = base::read_file(git / "config");
  base::write_file(git / "config",
                   fmt::format("{}[remote \"origin\"]\n\turl = {}\n", config, quote_config(cache_.url())),
                   0600);
}

void GitTree::fill(const std::string& commit, const base::CancelToken& cancel) const {
  if (!std::filesystem::is_directory(tree())) remove();
  if (!std::filesystem::exists(folder_)) create(commit.size(), cancel);
  const std::string subject = fmt::format("{}: cannot check out {}", cache_.name(), commit.substr(0, 8));
  git_output(command({"checkout", "--quiet", "--force", "--detach", commit}), subject, cancel);
  git_output(command({"clean", "-ffdxq"}), subject, cancel);
  if (std::filesystem::exists(std::filesystem::symlink_status(tree() / ".gitmodules")))
    fill_submodules(cancel);
}

void GitTree::fill_submodules(const base::CancelToken& cancel) const {
  const std::string subject = fmt::format("{}: cannot check out its submodules", cache_.name());
  git_output(command({"submodule", "--quiet", "sync", "--recursive"}), subject, cancel);
  const base::CommandResult update =
      run_git(command({"submodule", "--quiet", "update", "--init", "--recursive", "--force"}), cancel);
  if (!update.ok()) {
    throw base::Error(base::Code::source,
                      fmt::format("{}: {}", subject, cache_.masked(git_complaint(update))));
  }
  git_output(command({"submodule", "--quiet", "foreach", "--recursive", "git clean -ffdxq"}), subject,
             cancel);
}

void GitTree::remove() const {
  base::remove_tree(folder_);
}

}  // namespace porter::source
