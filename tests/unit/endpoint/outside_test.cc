// Files outside of the tree and undo steps, through the real agent.
#include "tests/unit/endpoint/fixture.h"

using namespace porter;
using namespace porter::tests;

namespace {

struct Outside {
  base::TemporaryFolder folder;
  fs::path source = folder.path() / "source";
  fs::path etc = folder.path() / "etc";
  std::string site = folder.path() / "site";
  LocalAgent agent;

  Outside() {
    write(source / "app/main", "one");
    write(etc / "conf", "by hand");
    agent->lock(lock_request(site));
  }

  void send(const std::string& id) const {
    agent->stage(stage_request(site, id), compose(source), {});
    protocol::SealHeader header;
    header.release_id = id;
    agent->seal(site, header, protocol::Touched::maybe);
  }
  void install(const std::string& id, std::string_view content) const {
    agent->install_file(site, id, content, etc / "conf", 0);
  }
  void add_undo(const std::string& id, const std::string& word) const {
    protocol::RunRequest request;
    request.arguments = {"sh", "-c", "echo \"$WORD\" >> log"};
    request.directory = etc;
    request.environment = {"WORD=" + word};
    agent->add_undo(site, id, request);
  }
  void activate(const std::string& id) const {
    agent->place_files(site, id);
    agent->activate(site, id, "run-" + id, protocol::Deletion::listed);
  }
  void deploy(const std::string& id) const {
    send(id);
    install(id, id);
    activate(id);
    agent->commit(site, id, 5, {});
  }
  std::string conf() const { return read(etc / "conf"); }
  std::string current() const { return agent->look({query(site)}).at(0).current; }
};

}  // namespace

TEST_CASE("an installed file travels whole, is placed when it is time, and goes back with the release",
          "[outside]") {
  const Outside at;
  at.deploy("r1");
  at.send("r2");
  const std::string large = random_bytes(3U << 20U, 7);  // many pieces
  at.install("r2", large);
  at.add_undo("r2", "taken back");
  CHECK(at.conf() == "r1");
  at.activate("r2");
  CHECK(at.conf() == large);
  at.agent->revert(at.site, "r2", "no good");
  CHECK(at.conf() == "r1");
  CHECK(read(at.etc / "log") == "taken back\n");
  CHECK(at.current() == "r1");
}

TEST_CASE("a rollback brings its release's files, and back again when it fails", "[outside]") {
  const Outside at;
  at.deploy("r1");
  at.deploy("r2");
  at.activate("r1");
  CHECK(at.conf() == "r1");
  at.agent->revert(at.site, "r1", "");
  CHECK(at.conf() == "r2");
  at.activate("r1");
  at.agent->commit(at.site, "r1", 5, {"rollback", "", ""});
  CHECK(at.conf() == "r1");
  CHECK(at.current() == "r1");
}

TEST_CASE("a failing undo step is the answer to a revert that was done, and the agent goes on", "[outside]") {
  const Outside at;
  at.deploy("r1");
  at.send("r2");
  protocol::RunRequest bad;
  bad.arguments = {"false"};
  at.agent->add_undo(at.site, "r2", bad);
  at.activate("r2");
  CHECK(code_of([&] { at.agent->revert(at.site, "r2", ""); }) == base::Code::remote);
  CHECK(at.current() == "r1");
}

TEST_CASE("what may not be installed is refused when all of it was sent, and the conversation goes on",
          "[outside]") {
  const Outside at;
  at.send("r1");
  const std::string much = random_bytes(2U << 20U, 3);
  const auto code = [&](const std::string& site, const std::string& id, const fs::path& path) {
    return code_of([&] { at.agent->install_file(site, id, much, path, 0); });
  };
  // What is wrong with a request arrives as "remote".
  CHECK(code(at.site, "r1", at.site + "/inside") == base::Code::remote);
  CHECK(code(at.site, "r1", at.etc) == base::Code::refused);
  CHECK(code(at.site, "r9", at.etc / "conf") == base::Code::missing);
  CHECK(code(at.site + "-other", "r1", at.etc / "conf") == base::Code::refused);
  CHECK(at.conf() == "by hand");
  at.install("r1", "fine");
  at.activate("r1");
  CHECK(at.conf() == "fine");
}

TEST_CASE("what a connection that broke had done outside, the next one undoes", "[outside]") {
  const Outside at;
  at.deploy("r1");
  at.send("r2");
  at.install("r2", "two");
  at.add_undo("r2", "settled");
  at.agent->place_files(at.site, "r2");
  CHECK(at.conf() == "two");
  at.agent->unlock(at.site);  // as far as the site knows, its run ended here
  const LocalAgent next;
  next->lock(lock_request(at.site));
  CHECK(at.conf() == "r1");
  CHECK(read(at.etc / "log") == "settled\n");
}
