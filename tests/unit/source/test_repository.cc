#include "tests/unit/source/test_repository.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/base/subprocess.h"
#include "core/base/text.h"

namespace porter::test {

TestRepository::TestRepository(std::filesystem::path folder) : folder_(std::move(folder)) {
  std::filesystem::create_directories(folder_);
  git({"init", "--quiet", "--initial-branch=main"});
}

std::string TestRepository::git(std::vector<std::string> arguments) const {
  base::Command command;
  command.arguments = {"git", "-c", "user.name=Tester", "-c", "user.email=tester@example.org"};
  command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
  command.directory = folder_;
  command.set_environment = {{"GIT_CONFIG_GLOBAL", "/dev/null"}, {"GIT_ALLOW_PROTOCOL", "file"}};
  command.unset_environment = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_CONFIG_COUNT"};
  const base::CommandResult result = base::run_command(command, base::Deadline::never(), {});
  if (!result.ok()) throw std::runtime_error("git " + base::join(arguments, " ") + ": " + result.errors);
  return std::string(base::trim(result.output));
}

void TestRepository::write(const std::string& name, std::string_view content) const {
  std::filesystem::create_directories((folder_ / name).parent_path());
  base::write_file(folder_ / name, content);
}

std::string TestRepository::commit_all() const {
  git({"add", "--all"});
  git({"commit", "--quiet", "--message", "change"});
  return git({"rev-parse", "HEAD"});
}

std::string TestRepository::commit(const std::string& name, std::string_view content) const {
  write(name, content);
  return commit_all();
}

source::SourceRequest SourceWorld::request(source::RefKind kind, std::string ref,
                                           std::string module_name) const {
  source::SourceRequest out;
  out.url = repository.url();
  out.module_folder = module_folder();
  out.kind = kind;
  out.ref = std::move(ref);
  out.cache_folder = cache();
  out.module_name = std::move(module_name);
  return out;
}

source::Checkout SourceWorld::checkout(source::RefKind kind, std::string ref, std::string module_name) const {
  return source::make_source(request(kind, std::move(ref), std::move(module_name)))->checkout({});
}

std::vector<std::string> listing(const std::filesystem::path& folder) {
  std::vector<std::string> out;
  for (auto entry = std::filesystem::recursive_directory_iterator(folder);
       entry != std::filesystem::end(entry); ++entry) {
    const std::string name = entry->path().lexically_relative(folder).string();
    if (entry->path().filename() == ".git") {
      if (entry->is_directory()) entry.disable_recursion_pending();
    } else if (entry->is_symlink()) {
      out.push_back(name + "->" + std::filesystem::read_symlink(entry->path()).string());
    } else if (entry->is_directory()) {
      out.push_back(name + "/");
    } else {
      out.push_back(name + "=" + base::read_file(entry->path()));
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace porter::test
