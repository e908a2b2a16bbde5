#include "core/engine/run_folder.h"

#include "core/base/files.h"
#include "core/engine/unfinished_runs.h"
#include "tests/support/catch.h"
#include "tests/support/error_of.h"

using namespace porter;
using namespace porter::engine;

namespace {

constexpr const char* kRun = "20261121T070509Z-1f2e";

Place place_on(const std::string& host) {
  Place place;
  place.module = "lib";
  place.host.name = host;
  place.host.address = host + ".example.org";
  place.host.port = 2222;
  place.host.port_given = true;
  place.host.user = "ann";
  place.host.identity = "/home/ann/.ssh/key";
  place.host.jump = "ann@gate:22";
  place.host.agent_path = "/opt";
  place.become = "www";
  place.site = "/srv/l\xFF\xFE";  // no UTF-8
  place.layout = protocol::Layout::inplace;
  place.durability = protocol::Durability::none;
  place.keep_releases = 7;
  place.release_id = "20261121T070509Z-1a2b3c4d-1f2e";
  place.previous = "20261120T070509Z-1a2b3c4d-1f2d";
  place.source_root.fill(0xAB);
  place.seed_paths = {"var/data"};
  return place;
}

RunFacts facts() {
  RunFacts facts{"ann@laptop", "2026-11-21T07:05:09Z", {}, {place_on("one"), place_on("two")}};
  facts.request.config = "testing";
  facts.request.modules = {"lib"};
  facts.request.plugin_arguments = {{"reason", "a \"b\""}};
  return facts;
}

struct State {
  base::TemporaryFolder folder;
  std::filesystem::path at(const std::string& file = "") const {
    return folder.path() / "runs" / kRun / file;
  }
  std::optional<RunFolder> open() const { return RunFolder::open(folder.path(), kRun, Patience::no); }
  bool exists() const { return std::filesystem::exists(at()); }

  // A run that died in this step on each of its places.
  void leave(Step step, const std::string& run_id = kRun) const {
    RunFolder run = RunFolder::create(folder.path(), run_id);
    run.write(facts());
    run.record(0, step);
    run.record(1, step);
  }
};

}  // namespace

TEST_CASE("what a run wrote of itself comes back whole") {
  const State state;
  state.leave(Step::staging);
  const std::optional<RunFolder> run = state.open();
  REQUIRE(run);
  CHECK(run->facts().who == "ann@laptop");
  CHECK(run->facts().started == "2026-11-21T07:05:09Z");
  CHECK(encode(run->facts().request) == encode(facts().request));
  REQUIRE(run->facts().places.size() == 2);
  const Place& place = run->facts().places[1];
  const Place expected = place_on("two");
  CHECK(place.host.name == "two");
  CHECK(place.host.address == expected.host.address);
  CHECK(place.host.port == 2222);
  CHECK(place.host.port_given);
  CHECK(place.host.user == "ann");
  CHECK(place.host.identity == expected.host.identity);
  CHECK(place.host.jump == expected.host.jump);
  CHECK(place.host.agent_path == "/opt");
  CHECK_FALSE(place.host.local);
  CHECK(place.become == "www");
  CHECK(place.site == expected.site);
  CHECK(place.layout == protocol::Layout::inplace);
  CHECK(place.durability == protocol::Durability::none);
  CHECK(place.keep_releases == 7);
  CHECK(place.release_id == expected.release_id);
  CHECK(place.previous == expected.previous);
  CHECK(place.source_root == expected.source_root);
  CHECK(place.seed_paths == expected.seed_paths);
}

TEST_CASE("the folder is the user's alone") {
  const State state;
  state.leave(Step::staging);
  using std::filesystem::perms;
  CHECK((std::filesystem::status(state.at()).permissions() & perms::all) == perms::owner_all);
  for (const char* file : {"request", "places", "journal"})
    CHECK((std::filesystem::status(state.at(file)).permissions() & perms::all) ==
          (perms::owner_read | perms::owner_write));
}

TEST_CASE("a file that is cut anywhere, or has any bit flipped, is never taken as valid") {
  const State state;
  state.leave(Step::staging);
  const std::string file = GENERATE(as<std::string>(), "request", "places");
  const std::string all = base::read_file(state.at(file));
  const auto is_noticed = [&](const std::string& text) {
    base::write_file(state.at(file), text);
    return tests::error_of([&] { (void)state.open(); }).code() == base::Code::io;
  };
  for (std::size_t length = 0; length < all.size(); ++length) {
    INFO(file << " cut at byte " << length);
    REQUIRE(is_noticed(all.substr(0, length)));
  }
  for (std::size_t bit = 0; bit < all.size() * 8; ++bit) {
    std::string flipped = all;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    INFO(file << " with another bit " << bit % 8 << " in byte " << bit / 8);
    REQUIRE(is_noticed(flipped));
  }
  std::filesystem::remove(state.at(file));
  CHECK(tests::error_of([&] { (void)state.open(); }).code() == base::Code::io);
  base::write_file(state.at(file), all);
  CHECK(state.open());
}

TEST_CASE("whatever was written when a run was killed before its first step, nothing is left of it") {
  const State state;
  {
    RunFolder run = RunFolder::create(state.folder.path(), kRun);
    if (GENERATE(true, false)) run.write(facts());
    // As after a kill: no destructor has had its way.
    std::filesystem::copy(state.at(), state.folder.path() / "kept", std::filesystem::copy_options::recursive);
  }
  CHECK_FALSE(state.exists());
  std::filesystem::rename(state.folder.path() / "kept", state.at());
  if (GENERATE(true, false)) std::filesystem::remove(state.at("places"));
  if (GENERATE(true, false)) std::filesystem::remove(state.at("request"));
  if (GENERATE(true, false)) std::filesystem::remove(state.at("journal"));
  CHECK_FALSE(state.open());
  CHECK_FALSE(state.exists());
}

TEST_CASE("places that are written anew are the old ones or the new ones, whenever the writer is killed") {
  const State state;
  state.leave(Step::staging);
  const std::string old_places = base::read_file(state.at("places"));
  {
    RunFolder run = std::move(*state.open());
    RunFacts changed = facts();
    changed.places[0].release_id = "20261122T070509Z-1a2b3c4d-1f2e";
    run.write(changed);
  }
  CHECK(state.open()->facts().places[0].release_id == "20261122T070509Z-1a2b3c4d-1f2e");
  // A kill before the rename leaves the temporary file and the old places.
  std::filesystem::rename(state.at("places"), state.at(".places.Xy12ab"));
  base::write_file(state.at("places"), old_places);
  CHECK(state.open()->facts().places[0].release_id == place_on("one").release_id);
}

TEST_CASE("a run that is alive cannot be opened, and can once it is dead") {
  const State state;
  {
    RunFolder run = RunFolder::create(state.folder.path(), kRun);
    run.write(facts());
    run.record(0, Step::staging);
    const base::Error problem = tests::error_of([&] { (void)state.open(); });
    CHECK(problem.code() == base::Code::locked);
    CHECK(problem.message().find(kRun) != std::string::npos);
  }
  CHECK(state.open());
}

TEST_CASE("there is no such run outside of the folder of runs") {
  const State state;
  state.leave(Step::staging);
  for (const std::string& name :
       std::vector<std::string>{"", ".", "..", std::string("../runs/") + kRun, "another"})
    CHECK_FALSE(RunFolder::open(state.folder.path(), name, Patience::no));
  CHECK(state.exists());
}

TEST_CASE("a run is committed when every place is") {
  const State state;
  RunFolder run = RunFolder::create(state.folder.path(), kRun);
  run.write(facts());
  run.record(0, Step::done);
  CHECK_FALSE(run.is_committed());
  run.record(1, Step::undone);
  CHECK_FALSE(run.is_committed());
  run.record(1, Step::done);
  CHECK(run.is_committed());
}

TEST_CASE("unfinished runs are listed with what they were and what became of them") {
  const State state;
  state.leave(Step::undone, "20261121T070000Z-0001");
  state.leave(Step::staging, "20261121T070000Z-0002");
  state.leave(Step::activating, "20261121T070000Z-0003");
  state.leave(Step::activating, "20261121T070000Z-0004");
  base::write_file(state.folder.path() / "runs/20261121T070000Z-0004/places", "nonsense");
  RunFolder alive = RunFolder::create(state.folder.path(), "20261121T070000Z-0005");
  alive.write(facts());
  alive.record(0, Step::staging);
  const std::vector<UnfinishedRun> runs = unfinished_runs(state.folder.path());
  REQUIRE(runs.size() == 5);
  CHECK(runs[0].id == "20261121T070000Z-0001");
  CHECK(runs[0].who == "ann@laptop");
  CHECK(runs[0].started == "2026-11-21T07:05:09Z");
  CHECK(runs[0].command == "deploy lib --config testing --release stable");
  CHECK(runs[0].state == "put back");
  CHECK(runs[1].state == "staged");
  CHECK(runs[2].state == "half activated");
  CHECK(runs[3].state.starts_with("damaged"));
  CHECK(runs[3].state.find("0004/places") != std::string::npos);
  CHECK(runs[3].state.find("then remove " + (state.folder.path() / "runs/20261121T070000Z-0004").string()) !=
        std::string::npos);
  CHECK(runs[4].state == "running");
}

TEST_CASE("a run that still keeps its source is running, not damaged") {
  const State state;
  const RunFolder alive = RunFolder::create(state.folder.path(), kRun);
  const std::vector<UnfinishedRun> runs = unfinished_runs(state.folder.path());
  REQUIRE(runs.size() == 1);
  CHECK(runs[0].id == kRun);
  CHECK(runs[0].state == "running");
}

TEST_CASE("a run that is live in one place and was put back in another was not just put back") {
  const State state;
  RunFolder run = RunFolder::create(state.folder.path(), kRun);
  run.write(facts());
  run.record(0, Step::done);
  run.record(1, Step::undone);
  { const RunFolder dead = std::move(run); }
  CHECK(unfinished_runs(state.folder.path()).at(0).state == "partly committed");
}

TEST_CASE("a rollback is listed as one") {
  const State state;
  RunFacts back = facts();
  back.request.action = Action::rollback;
  back.request.to_release = "20261120T070509Z-1a2b3c4d-1f2d";
  RunFolder run = RunFolder::create(state.folder.path(), kRun);
  run.write(back);
  CHECK(unfinished_runs(state.folder.path()).at(0).command ==
        "rollback lib --config testing --to 20261120T070509Z-1a2b3c4d-1f2d");
}

TEST_CASE("a dead run is forgotten when all its places are covered, and never one that is alive") {
  const State state;
  state.leave(Step::activating);
  const std::vector<Place> both = {place_on("one"), place_on("two")};
  {
    const std::optional<RunFolder> alive = state.open();
    forget_covered_runs(state.folder.path(), both);
    CHECK(state.exists());
  }
  forget_covered_runs(state.folder.path(), {place_on("one")});
  CHECK(state.exists());
  Place elsewhere = place_on("two");
  elsewhere.site = "/srv/other";
  forget_covered_runs(state.folder.path(), {place_on("one"), elsewhere});
  CHECK(state.exists());
  forget_covered_runs(state.folder.path(), both);
  CHECK_FALSE(state.exists());
}

TEST_CASE("a damaged run is forgotten likewise, when its places can still be read") {
  const State state;
  state.leave(Step::activating);
  const std::vector<Place> both = {place_on("one"), place_on("two")};
  const auto file = GENERATE(as<std::string>(), "journal", "request", "places");
  base::write_file(state.at(file), "nonsense\n");
  const std::string told = unfinished_runs(state.folder.path()).at(0).state;
  forget_covered_runs(state.folder.path(), {place_on("one")});
  CHECK(state.exists());
  {
    const source::FolderLock alive = *source::FolderLock::attempt(state.at("journal"));
    forget_covered_runs(state.folder.path(), both);
    CHECK(state.exists());
  }
  forget_covered_runs(state.folder.path(), both);
  const bool readable = file != "places";
  CHECK(state.exists() == !readable);
  CHECK((told.find("this run is forgotten then") != std::string::npos) == readable);
}

TEST_CASE("the oldest unfinished runs go first, and none that is alive, damaged or not settled") {
  const State state;
  const auto id = [](int number) { return "20261121T070000Z-000" + std::to_string(number); };
  state.leave(Step::activating, id(1));
  for (const int number : {2, 3, 4, 5})
    state.leave(Step::undone, id(number));
  state.leave(Step::undone, id(6));
  base::write_file(state.folder.path() / "runs" / id(2) / "places", "nonsense");
  const std::optional<RunFolder> alive = RunFolder::open(state.folder.path(), id(3), Patience::no);
  forget_oldest_runs(state.folder.path(), 4);
  CHECK(RunFolder::all(state.folder.path()) == std::vector<std::string>{id(1), id(2), id(3), id(6)});
}
