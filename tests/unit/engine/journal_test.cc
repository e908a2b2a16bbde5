#include "core/engine/journal.h"

#include <signal.h>
#include <sys/resource.h>

#include "core/base/files.h"
#include "tests/support/catch.h"
#include "tests/support/error_of.h"

using namespace porter;
using namespace porter::engine;

namespace {

struct State {
  base::TemporaryFolder folder;
  std::filesystem::path file() const { return folder.path() / "journal"; }
  std::string text() const { return base::read_file(file()); }
  std::vector<JournalEntry> entries() const { return Journal::read(file()); }
  std::vector<JournalEntry> open() const { return open_steps(entries()); }
};

JournalEntry entry(Step step, std::size_t place) {
  return {step, place, "lib", "host" + std::to_string(place), "20261121T070509Z-1a2b3c4d-1f2e"};
}

}  // namespace

TEST_CASE("a run without a journal has nothing to settle") {
  const State state;
  CHECK(state.entries().empty());
}

TEST_CASE("of every place the journal gives the last step, in the order they began") {
  const State state;
  Journal journal(state.file());
  journal.record(entry(Step::staging, 2));
  journal.record(entry(Step::staging, 0));
  journal.record(entry(Step::staging, 1));
  journal.record(entry(Step::activating, 2));
  const auto open = state.open();
  REQUIRE(open.size() == 3);
  CHECK(open[0].place == 2);
  CHECK(open[0].module == "lib");
  CHECK(open[0].host == "host2");
  CHECK(open[0].step == Step::activating);
  CHECK(open[0].release_id == "20261121T070509Z-1a2b3c4d-1f2e");
  CHECK(open[1].place == 0);
  CHECK(open[1].step == Step::staging);
  CHECK(open[2].place == 1);
}

TEST_CASE("what is done or undone is not open, and what begins again is") {
  const State state;
  Journal journal(state.file());
  const Step end = GENERATE(Step::done, Step::undone);
  journal.record(entry(Step::staging, 0));
  journal.record(entry(end, 0));
  CHECK(state.open().empty());
  CHECK(last_steps(state.entries()).front().step == end);
  journal.record(entry(Step::staging, 0));
  CHECK(state.open().size() == 1);
}

TEST_CASE("wherever its writer died in a line, the lines before it hold and it announces nothing") {
  const State state;
  Journal journal(state.file());
  std::vector<std::size_t> ends = {0};
  for (const Step step : {Step::staging, Step::activating, Step::committing}) {
    journal.record(entry(step, 0));
    ends.push_back(state.text().size());
  }
  const std::string all = state.text();
  for (std::size_t length = 0; length <= all.size(); ++length) {
    base::write_file(state.file(), all.substr(0, length));
    INFO("cut at byte " << length << " of " << all.size());
    std::size_t whole = 0;
    while (whole + 1 < ends.size() && ends[whole + 1] <= length)
      ++whole;
    REQUIRE(state.entries().size() == whole);
    // Whoever goes on does so behind what holds.
    Journal again(state.file());
    again.record(entry(Step::undone, 0));
    REQUIRE(state.entries().size() == whole + 1);
    REQUIRE(state.open().empty());
  }
}

TEST_CASE("no bit of a journal can flip without being noticed") {
  const State state;
  {
    Journal journal(state.file());
    journal.record(entry(Step::staging, 0));
    journal.record(entry(Step::committing, 0));
  }
  const std::string all = state.text();
  for (std::size_t bit = 0; bit < all.size() * 8; ++bit) {
    std::string flipped = all;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    base::write_file(state.file(), flipped);
    INFO("bit " << bit % 8 << " of byte " << bit / 8);
    REQUIRE(tests::error_of([&] { Journal::read(state.file()); }).code() == base::Code::io);
    REQUIRE(tests::error_of([&] { Journal journal(state.file()); }).code() == base::Code::io);
    REQUIRE(state.text() == flipped);  // looked at, and left as it is
  }
}

TEST_CASE("a record that a full disk cut short is not there, and does not spoil the next one") {
  const State state;
  Journal journal(state.file());
  journal.record(entry(Step::staging, 0));
  const auto old_handler = ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const rlimit full{state.text().size() + 20, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &full) == 0);
  const base::Error problem = tests::error_of([&] { journal.record(entry(Step::activating, 0)); });
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  ::signal(SIGXFSZ, old_handler);
  CHECK(problem.code() == base::Code::io);
  CHECK(state.entries().size() == 1);
  journal.record(entry(Step::undone, 0));
  CHECK(state.open().empty());
}

TEST_CASE("a journal can be read by its owner alone") {
  const State state;
  const Journal journal(state.file());
  CHECK((std::filesystem::status(state.file()).permissions() & std::filesystem::perms::all) ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
}
