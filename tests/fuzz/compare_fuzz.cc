// Lists of folder digests from a peer, and what a tree answers to them. What is accepted has one spelling,
// and the part that is sent back is canonical.

#include "core/sync/compare.h"
#include "tests/fuzz/fuzz.h"

using namespace porter;
using fuzz::require;

namespace {

// A root with a folder of one file.
sync::Tree small_tree() {
  sync::Entry file;
  file.name = "f";
  sync::Entry folder;
  folder.name = "a";
  folder.kind = sync::Kind::folder;
  sync::Tree tree;
  tree.folders.resize(2);
  tree.folders[0].entries = {folder};
  tree.folders[1].path = "a";
  tree.folders[1].entries = {file};
  tree.seal_digests();
  return tree;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = fuzz::bytes_of(data, size);
  std::vector<sync::FolderDigest> theirs;
  if (!fuzz::accepts({base::Code::protocol}, [&] { theirs = sync::decode_folder_digests(bytes); })) return 0;
  require(sync::encode_folder_digests(theirs) == bytes, "a list of digests has one spelling");
  static const sync::Tree mine = small_tree();
  const sync::Tree part = sync::make_part(mine, theirs);
  sync::check_canonical(part, sync::Completeness::part);
  require(sync::complete_part(part, mine) == mine, "a part and the whole make the whole");
  return 0;
}
