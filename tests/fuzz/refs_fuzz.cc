// What a git server says about its refs. What is accepted names whole commit ids.

#include "core/source/git_refs.h"
#include "tests/fuzz/fuzz.h"

using namespace porter;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  source::RemoteRefs refs;
  const auto parse = [&] { refs = source::parse_remote_refs(fuzz::bytes_of(data, size)); };
  if (!fuzz::accepts({base::Code::source}, parse)) return 0;
  for (const auto& [name, commit] : refs.branches)
    require(source::is_full_commit_id(commit), "a branch has a commit");
  for (const auto& [name, commit] : refs.tags)
    require(source::is_full_commit_id(commit), "a tag has a commit");
  require(refs.head_commit.empty() || source::is_full_commit_id(refs.head_commit), "HEAD has a commit");
  return 0;
}
