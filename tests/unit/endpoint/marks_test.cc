// Marks, freezes and differences over the wire.
#include "tests/unit/endpoint/fixture.h"

using namespace porter;
using namespace porter::tests;

namespace {

struct Deployed {
  base::TemporaryFolder folder;
  fs::path source = folder.path() / "source";
  fs::path site = folder.path() / "site";
  LocalAgent agent;

  Deployed() {
    write(source / "app/main", "one");
    write(source / "conf", "on");
    agent->lock(lock_request(site));
    deploy(*agent.endpoint, site, "r1", compose(source));
    write(source / "conf", "off");
    deploy(*agent.endpoint, site, "r2", compose(source));
  }

  protocol::SiteState look() const { return agent->look({query(site)}).at(0); }
};

}  // namespace

TEST_CASE("marks, and a deploy that was taken back, show in what the agent sees", "[marks]") {
  const Deployed at;
  const std::string site = at.site.string();
  at.agent->mark(site, "r1", protocol::Mark::pinned, "");
  CHECK(at.look().pinned == std::vector<std::string>{"r1"});
  CHECK(code_of([&] { at.agent->discard(site, "r1"); }) == base::Code::refused);
  CHECK(code_of([&] { at.agent->mark(site, "r9", protocol::Mark::bad, "x"); }) == base::Code::missing);
  at.agent->stage(stage_request(at.site, "r3"), compose(at.source), {});
  protocol::SealHeader header;
  header.release_id = "r3";
  at.agent->seal(site, header, protocol::Touched::maybe);
  at.agent->activate(site, "r3", "run1", protocol::Deletion::listed);
  at.agent->revert(site, "r3", "health check");
  const protocol::SiteState state = at.look();
  CHECK(state.current == "r2");
  REQUIRE(state.bad.size() == 1);
  CHECK(state.bad[0].release_id == "r3");
  CHECK(state.bad[0].reason == "health check");
  CHECK(state.releases.size() == 3);
  CHECK(state.leftovers == 0);
  CHECK(state.one_file_system);
  at.agent->activate(site, "r1", "run2", protocol::Deletion::listed);
  at.agent->commit(site, "r1", 5, {"rollback", "production", "r2 was slow"});
  const auto history = at.agent->history(site, protocol::Layout::releases, 10);
  REQUIRE(history.size() == 4);
  CHECK(history[2].message == "health check");
  CHECK(history[3].action == "rollback");
  CHECK(history[3].config == "production");
  CHECK(history[3].message == "r2 was slow");
  CHECK(history[3].who == "ada@laptop");
}

TEST_CASE("a frozen config is refused at the lock, by its own code and with the reason", "[marks]") {
  const base::TemporaryFolder folder;
  const fs::path site = folder.path() / "site";
  const LocalAgent agent;
  agent->lock(lock_request(site));
  agent->freeze(site.string(), {"production", "party", "", ""});
  agent->unlock(site.string());
  protocol::LockRequest wanted = lock_request(site);
  wanted.config = "production";
  CHECK(code_of([&] { agent->lock(wanted); }) == base::Code::frozen);
  const std::string text = text_of([&] { agent->lock(wanted); });
  CHECK(text.find("config production is frozen since 20") != std::string::npos);
  CHECK(text.find(" by ada@laptop: party") != std::string::npos);
  CHECK(text.find("porter-admin unfreeze --config production") != std::string::npos);
  const LocalAgent other;
  other->lock(lock_request(site));
  other->unfreeze(site.string(), "production");
  other->unlock(site.string());
  agent->lock(wanted);
}

TEST_CASE("differences arrive whole, however many, and without a lock", "[marks]") {
  const Deployed at;
  for (int i = 0; i < 2500; ++i)
    write(at.site / "current/app" / (std::string(200, 'n') + std::to_string(i)), "");
  write(at.site / "current/conf", "edited");
  const LocalAgent other;
  protocol::DifferenceQuery ask;
  ask.site = at.site.string();
  const auto few = other->differences(ask);
  REQUIRE(few.size() == 1);
  CHECK(few[0].path == "conf");
  CHECK(few[0].what == "content");
  ask.added = true;
  CHECK(other->differences(ask).size() == 2501);
  ask.release_id = "r1";
  CHECK(other->differences(ask).empty());
  ask.release_id = "r9";
  CHECK(other->differences(ask).at(0).path.empty());
}

TEST_CASE("a history that is longer than a frame comes whole, and no more of it than was asked for",
          "[marks]") {
  const Deployed at;
  std::string lines;
  for (int i = 0; i < 600; ++i)
    lines += "action=commit release=r" + std::to_string(i) + " message=" + std::string(5000, 'x') + " end\n";
  base::write_file(at.site / ".porter/history", lines);
  const auto all = at.agent->history(at.site.string(), protocol::Layout::releases, 5000);
  REQUIRE(all.size() == 600);
  CHECK(all[0].release == "r0");
  CHECK(all[599].release == "r599");
  CHECK(at.agent->history(at.site.string(), protocol::Layout::releases, 300).at(0).release == "r300");
}
