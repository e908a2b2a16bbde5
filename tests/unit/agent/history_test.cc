// One line for each activation, whoever is killed around it; and lines that are longer than a frame.
#include <fstream>

#include "core/agent/failpoint.h"
#include "core/base/text.h"
#include "tests/support/catch.h"
#include "tests/unit/agent/outside_fixture.h"

namespace porter::agent {
namespace {

using base::TemporaryFolder;
using namespace testing;  // NOLINT

const Wants kTree = {{"app", file("x\n")}};

void die_behind_the_line(const char* step) {
  if (std::string_view(step) == "history: written") throw std::runtime_error("killed");
}

struct Place {
  TemporaryFolder folder;
  std::string conf = folder.path() / "conf";
  std::string lines = folder.path() / "site/.porter/history";
  Site site = Site::open(folder.path() / "site", Layout::releases, Durability::none);

  Place() { REQUIRE_FALSE(site.prepare(options())); }

  void bring(const std::string& id) {
    send(site, id, kTree);
    install(site, id, conf, id);
    site.place_files(id);
    site.activate(id, "run-" + id);
  }
  void deploy(const std::string& id) {
    bring(id);
    site.commit(id, 5);
  }
  // Deploys, and is gone when the history has its line and the journal does not know yet.
  void deploy_half(const std::string& id) {
    bring(id);
    fail_point = die_behind_the_line;
    CHECK_THROWS(site.commit(id, 5, {"commit", "production", "why"}));
    fail_point = nullptr;
    site.release_lock();
    REQUIRE_FALSE(site.prepare(options()));
  }
  void roll_back(const std::string& id) {
    site.place_files(id);
    site.activate(id, "back");
    site.commit(id, 5, {"rollback", "", ""});
  }
  std::vector<std::string> told() const {
    std::vector<std::string> releases;
    for (const HistoryRecord& line : site.history())
      releases.push_back(line.release);
    return releases;
  }
};

}  // namespace

TEST_CASE("a commit that was killed behind its line is told once, and can be rolled back over") {
  Place at;
  at.deploy("r0");
  at.deploy("r1");
  at.deploy_half("r2");
  SECTION("another deploy follows") {
    at.deploy("r3");
    CHECK(at.told() == std::vector<std::string>{"r0", "r1", "r2", "r3"});
  }
  SECTION("the same run is resumed") {
    at.site.activate("r2", "run-r2");
    at.site.commit("r2", 5, {"commit", "production", "why, again"});
    CHECK(at.told() == std::vector<std::string>{"r0", "r1", "r2"});
  }
  CHECK(at.site.history()[2].message == "why");
  at.roll_back("r0");
  CHECK(base::read_file(at.conf) == "r0");
}

TEST_CASE("an activation that an earlier version told twice can be rolled back over") {
  Place at;
  at.deploy("r0");
  at.deploy("r1");
  at.deploy("r2");
  const std::string lines = base::read_file(at.lines);
  base::write_file(at.lines, lines + "action=commit release=r2 previous=r1 run=run-r2 message=kept end\n");
  at.deploy("r3");
  at.roll_back("r0");
  CHECK(base::read_file(at.conf) == "r0");
}

TEST_CASE("the same release activated again is told again") {
  Place at;
  at.deploy("r1");
  at.deploy("r2");
  at.roll_back("r1");
  at.roll_back("r2");
  at.roll_back("r1");
  CHECK(at.told() == std::vector<std::string>{"r1", "r2", "r1", "r2", "r1"});
}

TEST_CASE(
    "what people and programs say is cut in front of a character, when it is written and when it is read") {
  Place at;
  at.bring("r1");
  std::string message = "x";
  for (int i = 0; i < 50'000; ++i)
    message += "ä";
  at.site.commit("r1", 5, {"commit", message, message});
  CHECK(fs::file_size(at.lines) < 40'000);
  base::write_file(at.lines,
                   base::read_file(at.lines) + "release=r2 message=" + std::string(200'000, 'y') + " end\n");
  at.site.mark("r1", protocol::Mark::bad, message);
  at.site.freeze({"production", message, message, ""});
  const std::vector<HistoryRecord> lines = at.site.history();
  REQUIRE(lines.size() == 2);
  const SiteState state = at.site.look();
  for (const std::string& text : {lines[0].message, lines[0].config, lines[1].message, state.bad.at(0).reason,
                                  state.frozen.at(0).reason, state.frozen.at(0).who}) {
    CHECK(text.size() <= 4096);
    CHECK(text.size() > 4080);
    CHECK(text.substr(text.size() - 3) == "…");
    CHECK(base::printable(text) == text);
  }
}

TEST_CASE("a history beyond all measure still takes lines, and gives its last") {
  Place at;
  at.deploy("r1");
  const std::string last = base::read_file(at.lines);
  fs::resize_file(at.lines, 70U << 20U);
  std::ofstream(at.lines, std::ios::app) << "\n" << last;
  at.deploy("r2");
  CHECK(at.told() == std::vector<std::string>{"r1", "r2"});
}

}  // namespace porter::agent
