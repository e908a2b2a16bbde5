// The journal of a run. What is accepted is what record() wrote, and the next record goes behind it.

#include "core/engine/journal.h"

#include "core/base/files.h"
#include "tests/fuzz/fuzz.h"

using namespace porter;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const base::TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "journal";
  base::write_file(file, fuzz::bytes_of(data, size));
  std::vector<engine::JournalEntry> found;
  const bool whole = fuzz::accepts({base::Code::io}, [&] { found = engine::Journal::read(file); });
  if (!whole) return 0;
  require(engine::open_steps(found).size() <= engine::last_steps(found).size(), "open steps are last steps");
  engine::Journal journal(file);
  require(journal.entries().size() == found.size(), "reading and going on see the same lines");
  journal.record({engine::Step::done, 0, "web", "one", "id"});
  require(engine::Journal::read(file).size() == found.size() + 1, "a line goes behind those that count");
  return 0;
}
