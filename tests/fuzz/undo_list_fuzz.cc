// The undo list of a release: any bytes are read as far as they are lines of it, and more can be added.

#include "core/agent/undo_list.h"

#include "core/base/files.h"
#include "tests/fuzz/fuzz.h"

using namespace porter;
using fuzz::require;

namespace {

agent::SiteFolders make_site(const base::TemporaryFolder& folder) {
  base::make_folders(folder.path() / ".porter/outside/id");
  return {agent::Beneath::open(folder.path()), agent::Beneath::open(folder.path() / ".porter"),
          agent::Layout::releases, agent::Durability::none};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const base::TemporaryFolder folder;
  static const agent::SiteFolders site = make_site(folder);
  base::write_file(folder.path() / ".porter/outside/id/list", fuzz::bytes_of(data, size));
  agent::UndoList list = agent::UndoList::read(site, "id");
  if (list.sections().empty()) return 0;
  const std::size_t before = list.last().steps.size();
  protocol::RunRequest program;
  program.arguments = {"true", ""};
  if (!fuzz::accepts({base::Code::refused}, [&] { list.add_program(program); })) return 0;
  const agent::UndoList again = agent::UndoList::read(site, "id");
  require(again.last().steps.size() == before + 1, "a step goes behind those that are there");
  require(again.last().steps.back().request.arguments == program.arguments, "a program is read as written");
  return 0;
}
