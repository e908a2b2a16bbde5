#include "core/source/folder_source.h"

#include <fmt/format.h>

#include <system_error>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"

namespace porter::source {
namespace {

using base::Code;
using base::Error;

bool is_folder(const std::filesystem::path& path) {
  std::error_code unreadable;
  return std::filesystem::is_directory(path, unreadable);
}

// As short as it is clear: relative inside the module, absolute elsewhere.
std::string shown(const std::filesystem::path& folder, const std::filesystem::path& module_folder) {
  const std::filesystem::path relative = folder.lexically_relative(module_folder);
  const bool inside = !relative.empty() && *relative.begin() != "..";
  return base::printable((inside ? relative : folder).string());
}

}  // namespace

FolderSource::FolderSource(SourceRequest request, std::filesystem::path folder)
    : request_(std::move(request)), folder_(std::move(folder)) {
  if (request_.kind == RefKind::default_ref || request_.kind == RefKind::version) return;
  throw Error(
      Code::bad_value,
      fmt::format("module {}: a plain folder has no branches, tags or commits, so \"{}\" cannot be taken",
                  base::printable(request_.module_name), base::printable(request_.ref)))
      .hint("give the module a git url in [scm], or leave the branch or tag out of [release:NAME]");
}

std::string FolderSource::pin(const base::CancelToken& cancel) {
  cancel.check();
  if (is_folder(folder_)) return "";
  throw Error(Code::missing,
              fmt::format("module {}: there is no folder {}", base::printable(request_.module_name),
                          base::printable(folder_.string())))
      .hint("correct [scm] url, or make the folder");
}

Checkout FolderSource::checkout(const base::CancelToken& cancel) {
  Checkout out;
  out.commit = pin(cancel);
  out.tree = folder_;
  out.version =
      request_.kind == RefKind::version ? request_.ref : "folder " + shown(folder_, request_.module_folder);
  out.identity = Checkout::Identity::plain_folder;
  return out;
}

std::filesystem::path default_folder(const SourceRequest& request) {
  for (const char* name : {"src", "repo"}) {
    if (is_folder(request.module_folder / name)) return request.module_folder / name;
  }
  throw Error(Code::missing, fmt::format("module {}: has neither [scm] url nor a src/ or repo/ folder in {}",
                                         base::printable(request.module_name),
                                         base::printable(request.module_folder.string())))
      .hint("put the files into src/, or name a repository: [scm] url = git@host:repo.git");
}

}  // namespace porter::source
