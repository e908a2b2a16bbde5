#pragma once
// A real git repository in a temporary folder, changed by the git command as its authors would, and the
// values a test of sources needs again and again.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/source/source.h"

namespace porter::test {

class TestRepository {
 public:
  // An empty repository with the branch main.
  explicit TestRepository(std::filesystem::path folder);

  // Runs git in the repository; its standard output without the last newline. Fails the test when git fails.
  std::string git(std::vector<std::string> arguments) const;
  void write(const std::string& name, std::string_view content) const;
  // Commits one file with this content on the current branch; the commit's id.
  std::string commit(const std::string& name, std::string_view content) const;
  std::string commit_all() const;

  const std::filesystem::path& folder() const { return folder_; }
  std::string url() const { return "git+file://" + folder_.string(); }

 private:
  std::filesystem::path folder_;
};

// A temporary folder with a repository, a cache and a module.
class SourceWorld {
 public:
  SourceWorld() : repository(folder.path() / "origin") { std::filesystem::create_directory(module_folder()); }
  std::filesystem::path module_folder() const { return folder.path() / "module"; }
  std::filesystem::path cache() const { return folder.path() / "cache"; }
  source::SourceRequest request(source::RefKind kind = source::RefKind::default_ref, std::string ref = "",
                                std::string module_name = "module") const;
  source::Checkout checkout(source::RefKind kind = source::RefKind::default_ref, std::string ref = "",
                            std::string module_name = "module") const;

  base::TemporaryFolder folder{"porter-source-test"};
  TestRepository repository;
};

// All below a folder, "name=content" for files, "name->target" for symlinks, "name/" for folders, sorted;
// .git files and folders are left out.
std::vector<std::string> listing(const std::filesystem::path& folder);

// The Error that the work ends with; fails the test when there is none.
template <class Work>
base::Error error_of(Work&& work) {
  try {
    work();
  } catch (const base::Error& error) {
    return error;
  }
  throw std::logic_error("no error came");
}

}  // namespace porter::test
