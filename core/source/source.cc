#include "core/source/source.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/source/folder_source.h"
#include "core/source/git_refs.h"
#include "core/source/git_source.h"
#include "core/source/none_source.h"
#include "core/source/source_url.h"

namespace porter::source {
namespace {

using base::Code;
using base::Error;

// Refs are only ever compared with names that the remote lists, but a name that looks like an option is a
// mistake or an attack in any case.
void check_ref(const SourceRequest& request) {
  if (request.kind == RefKind::default_ref) return;
  const auto refuse = [&](std::string_view reason) {
    throw Error(Code::bad_value, fmt::format("module {}: \"{}\" {}", base::printable(request.module_name),
                                             base::printable(request.ref), reason));
  };
  if (request.ref.empty()) refuse("is no branch, tag, version or commit");
  if (request.ref.front() == '-') refuse("must not begin with '-'");
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  if (std::any_of(request.ref.begin(), request.ref.end(), is_control)) refuse("holds control characters");
  if (request.kind == RefKind::commit && !may_be_commit_id(request.ref))
    refuse("is no commit id of 7 to 64 hexadecimal digits");
}

}  // namespace

std::unique_ptr<Source> make_source(const SourceRequest& request) {
  const SourceUrl url = parse_source_url(request.url, request.module_folder);
  check_ref(request);
  switch (url.kind) {
    case SourceUrl::Kind::git:
      return std::make_unique<GitSource>(request, url.location);
    case SourceUrl::Kind::folder:
      return std::make_unique<FolderSource>(request, url.location);
    case SourceUrl::Kind::none:
      return std::make_unique<NoneSource>(request);
    case SourceUrl::Kind::module_default:
      break;
  }
  return std::make_unique<FolderSource>(request, default_folder(request));
}

}  // namespace porter::source
