#include "core/engine/journal.h"

#include <fstream>

#include "core/base/files.h"
#include "tests/support/catch.h"

using namespace porter;
using namespace porter::engine;

namespace {

constexpr const char* kRun = "20261121T070509Z-1f2e";

struct State {
  base::TemporaryFolder folder;
  std::filesystem::path file() const { return folder.path() / "runs" / (std::string(kRun) + ".journal"); }
  std::vector<JournalEntry> unfinished() const { return Journal::read_unfinished(folder.path(), kRun); }
  void append(const std::string& text) const { std::ofstream(file(), std::ios::app) << text; }
};

JournalEntry entry(Step step, const std::string& module, const std::string& host = "one") {
  return {step, module, host, "/srv/" + module, "20261121T070509Z-1a2b3c4d-1f2e"};
}

}  // namespace

TEST_CASE("a run without a journal has nothing to settle") {
  const State state;
  CHECK(state.unfinished().empty());
}

TEST_CASE("of every module on every host the journal gives the last step, in the order they began") {
  const State state;
  Journal journal(state.folder.path(), kRun);
  journal.record(entry(Step::staging, "lib"));
  journal.record(entry(Step::staging, "root"));
  journal.record(entry(Step::staging, "lib", "two"));
  journal.record(entry(Step::activating, "lib"));
  const auto open = state.unfinished();
  REQUIRE(open.size() == 3);
  CHECK(open[0].module == "lib");
  CHECK(open[0].host == "one");
  CHECK(open[0].step == Step::activating);
  CHECK(open[0].site == "/srv/lib");
  CHECK(open[0].release_id == "20261121T070509Z-1a2b3c4d-1f2e");
  CHECK(open[1].module == "root");
  CHECK(open[1].step == Step::staging);
  CHECK(open[2].host == "two");
  CHECK(open[2].step == Step::staging);
}

TEST_CASE("what is done is not unfinished, and what begins again is") {
  const State state;
  Journal journal(state.folder.path(), kRun);
  journal.record(entry(Step::staging, "lib"));
  journal.record(entry(Step::done, "lib"));
  CHECK(state.unfinished().empty());
  journal.record(entry(Step::staging, "lib"));
  CHECK(state.unfinished().size() == 1);
}

TEST_CASE("a last line that was only half written announces nothing") {
  const State state;
  Journal journal(state.folder.path(), kRun);
  journal.record(entry(Step::staging, "lib"));
  const std::string whole = base::read_file(state.file());
  journal.record(entry(Step::activating, "lib"));
  const std::string both = base::read_file(state.file());
  // Wherever the writer died in the second line, the first one holds.
  for (std::size_t length = whole.size(); length + 1 < both.size(); ++length) {
    base::write_file(state.file(), both.substr(0, length));
    const auto open = state.unfinished();
    INFO("cut at byte " << length << " of " << both.size());
    REQUIRE(open.size() == 1);
    CHECK(open[0].step == Step::staging);
  }
}

TEST_CASE("a line that is JSON and no step does not keep the others from being read") {
  const State state;
  Journal journal(state.folder.path(), kRun);
  journal.record(entry(Step::activating, "lib"));
  state.append("{\"step\": \"staging\"}\n17\n");
  std::vector<JournalEntry> open;
  REQUIRE_NOTHROW(open = state.unfinished());
  REQUIRE(open.size() == 1);
  CHECK(open[0].step == Step::activating);
}

TEST_CASE("a journal is gone when its run ended in order, and when it is settled") {
  const State state;
  Journal journal(state.folder.path(), kRun);
  journal.record(entry(Step::activating, "lib"));
  REQUIRE(std::filesystem::exists(state.file()));
  SECTION("closed") {
    journal.close();
  }
  SECTION("settled") {
    Journal::settled(state.folder.path(), kRun);
  }
  CHECK_FALSE(std::filesystem::exists(state.file()));
  CHECK(state.unfinished().empty());
}

TEST_CASE("a journal can be read by its owner alone") {
  const State state;
  const Journal journal(state.folder.path(), kRun);
  CHECK((std::filesystem::status(state.file()).permissions() & std::filesystem::perms::all) ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
}

TEST_CASE("the journal of a dead run goes when all it left open is covered, and never that of a live one") {
  const State state;
  {
    Journal journal(state.folder.path(), kRun);
    journal.record(entry(Step::activating, "lib"));
    journal.record(entry(Step::activating, "lib", "two"));
    Journal::forget_dead(state.folder.path(), {entry(Step::done, "lib"), entry(Step::done, "lib", "two")});
    CHECK(std::filesystem::exists(state.file()));
  }
  Journal::forget_dead(state.folder.path(), {entry(Step::done, "lib")});
  CHECK(std::filesystem::exists(state.file()));
  Journal::forget_dead(state.folder.path(), {entry(Step::done, "lib"), entry(Step::done, "lib", "two")});
  CHECK_FALSE(std::filesystem::exists(state.file()));
}
