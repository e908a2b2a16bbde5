// Each of these went wrong in porter; the program is used as its users use it.
#include "tests/integration/faults/user.h"
#include "tests/support/catch.h"
#include "tests/support/throwaway_sshd.h"

namespace porter::tests {
namespace {

namespace fs = std::filesystem;
using base::read_file;

bool says(const base::CommandResult& result, const std::string& words) {
  return result.output.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("create-project leaves a folder that exists alone, and fails") {
  const User user;
  fs::create_directory(user.project() / "mine");
  const base::CommandResult result = user.run({User::program(), "create-project", "mine"});
  INFO(result.output);
  CHECK(result.status == 2);
  CHECK(says(result, "exists already"));
  CHECK(fs::is_empty(user.project() / "mine"));
}

TEST_CASE("help works outside a project, for every command") {
  const User user;
  for (const std::string command : {"deploy", "run", "create-project", "hosts", "plugins", "explain"}) {
    base::Command asked = user.command({User::program(), command, "--help"});
    asked.directory = user.home();
    const auto result = base::run_command(asked, base::Deadline::in(std::chrono::seconds(60)), {});
    INFO(command << ": " << result.output);
    CHECK(result.status == 0);
    CHECK(says(result, "Usage:"));
  }
}

TEST_CASE("a failure after the switch brings the old release back, with a code that says so") {
  const User user;
  REQUIRE(user.run(user.deploy()).status == 0);
  user.write("web/src/page", "two\n");
  user.hook("web", "SIG_HEALTH_CHECK", "throw std::runtime_error(\"the page is broken\");");
  const base::CommandResult result = user.run(user.deploy());
  INFO(result.output);
  CHECK(result.status == 6);
  CHECK(says(result, "the page is broken"));
  CHECK(says(result, "web/deployment.so"));
  CHECK(read_file(user.live("web") / "page") == "one\n");
}

TEST_CASE("a module that fails keeps the modules before it from going live") {
  const User user;
  user.module("web", "depends = first\n");
  user.module("first");
  user.write("first/src/page", "one\n");
  REQUIRE(user.run(user.deploy()).status == 0);
  user.write("first/src/page", "two\n");
  user.write("web/src/page", "two\n");
  user.hook("web", "SIG_SOURCE_POST_SEND", "throw std::runtime_error(\"no\");");
  const base::CommandResult result = user.run(user.deploy());
  INFO(result.output);
  CHECK(result.status == 5);
  CHECK(read_file(user.live("first") / "page") == "one\n");
  CHECK(read_file(user.live("web") / "page") == "one\n");
}

TEST_CASE("a service that a failed deploy stopped is told, so that it can be started again") {
  const User user;
  user.write("web/deployment.cpp", R"(#include <porter/porter.h>
#include <stdexcept>
PORTER_DEPLOYMENT {
  module.push_signal_handler(porter::SIG_PRE_ACTIVATE, [](porter::Module& m) {
    m.service<porter::Target>().write(m.livepath() + "/../service", "stopped", 0);
  });
  module.push_signal_handler(porter::SIG_POST_ACTIVATE, [](porter::Module&) { throw std::runtime_error("no"); });
  module.push_signal_handler(porter::SIG_DEPLOY_FAILED, [](porter::Module& m) {
    m.service<porter::Target>().write(m.livepath() + "/../service", "started", 0);
  });
}
)");
  const base::CommandResult result = user.run(user.deploy());
  INFO(result.output);
  CHECK(result.status == 6);
  CHECK(read_file(user.project() / "deployed/web/service") == "started");
}

TEST_CASE("two modules' hooks are two, whatever their functions are called") {
  const User user;
  user.module("web", "depends = first\n");
  user.module("first");
  user.write("first/src/page", "one\n");
  for (const std::string name : {"first", "web"}) {
    user.hook(name, "SIG_SOURCE_POST_SEND",
              "m.service<porter::Target>().write(m.destpath() + \"/by\", \"" + name + "\", 0);");
  }
  const base::CommandResult result = user.run(user.deploy());
  INFO(result.output);
  REQUIRE(result.status == 0);
  CHECK(read_file(user.live("first") / "by") == "first");
  CHECK(read_file(user.live("web") / "by") == "web");
}

TEST_CASE("a hook that ends the process is no success") {
  const User user;
  REQUIRE(user.run(user.deploy()).status == 0);
  user.write("web/src/page", "two\n");
  user.hook("web", "SIG_POST_ACTIVATE", "std::_Exit(0);");
  const base::CommandResult result = user.run(user.deploy());
  INFO(result.output);
  CHECK(result.status == 6);
  CHECK(read_file(user.live("web") / "page") == "one\n");
}

TEST_CASE("what the source does not have any more is gone, and an older file replaces a newer one") {
  const User user;
  user.write("web/src/old", "old\n");
  REQUIRE(user.run(user.deploy()).status == 0);
  fs::remove(user.project() / "web/src/old");
  user.write("web/src/page", "two\n");
  fs::last_write_time(user.project() / "web/src/page",
                      fs::file_time_type::clock::now() - std::chrono::hours(48));
  const base::CommandResult result = user.run(user.deploy());
  INFO(result.output);
  REQUIRE(result.status == 0);
  CHECK_FALSE(fs::exists(user.live("web") / "old"));
  CHECK(read_file(user.live("web") / "page") == "two\n");
}

TEST_CASE("new commits of a branch are deployed without force, and the same commit is not deployed twice") {
  const User user;
  user.module("web", "[scm]\nurl = git+file://../repository\n[release:stable]\nbranch = main\n");
  const fs::path repository = user.project() / "repository";
  const auto git = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"git", "-C", repository.string(), "-c", "user.name=ann", "-c",
                                         "user.email=ann@example.org"});
    const base::CommandResult done = user.run(arguments);
    INFO(done.output);
    REQUIRE(done.status == 0);
  };
  user.write("repository/page", "one\n");
  git({"init", "-q", "-b", "main"});
  git({"add", "."});
  git({"commit", "-qm", "one"});
  REQUIRE(user.run(user.deploy()).status == 0);
  CHECK(says(user.run(user.deploy()), "unchanged"));
  user.write("repository/page", "two\n");
  git({"commit", "-qam", "two"});
  const base::CommandResult result = user.run(user.deploy());
  INFO(result.output);
  CHECK(result.status == 0);
  CHECK(read_file(user.live("web") / "page") == "two\n");
}

TEST_CASE("a changed setting or hook is deployed though the source is the same") {
  const User user;
  REQUIRE(user.run(user.deploy()).status == 0);
  user.module("web", "exclude = *.none\n");
  CHECK(says(user.run(user.deploy()), ": deployed"));
  CHECK(says(user.run(user.deploy()), "unchanged"));
  user.hook("web", "SIG_SOURCE_POST_SEND", "");
  CHECK(says(user.run(user.deploy()), ": deployed"));
  CHECK(says(user.run(user.deploy()), "unchanged"));
}

TEST_CASE("a dry run says what would be done and changes nothing") {
  const User user;
  const base::CommandResult result = user.run(user.deploy({"--dry-run"}));
  INFO(result.output);
  CHECK(result.status == 0);
  CHECK(says(result, "+ page"));
  CHECK_FALSE(fs::exists(user.project() / "deployed"));
}

TEST_CASE("paths with blanks, quotes and what a shell would run are taken as they are") {
  const User user;
  user.write("web/web.ini", "[module]\npath = deployed/a b'\"$(touch x)`touch x`\n");
  const base::CommandResult result = user.run(user.deploy());
  INFO(result.output);
  CHECK(result.status == 0);
  CHECK(read_file(user.project() / "deployed/a b'\"$(touch x)`touch x`/current/page") == "one\n");
  CHECK_FALSE(fs::exists(user.project() / "x"));
}

TEST_CASE("a second deploy of the same folder is told who is at it, and changes nothing") {
  const User user;
  user.hook("web", "SIG_SOURCE_POST_SEND",
            "m.service<porter::Target>().run({\"sh\", \"-c\", \"touch here; while [ ! -e go ]; do sleep 0.1; "
            "done\"}, \"" +
                user.project().string() + "\");");
  base::Child first = base::Child::start(user.command(user.deploy()), {});
  REQUIRE(appears(user.project() / "here"));
  const base::CommandResult second = user.run(user.deploy());
  user.write("go", "");
  INFO(second.output);
  CHECK(second.status == 9);
  CHECK(says(second, "locked by"));
  CHECK(first.wait().status == 0);
}

TEST_CASE("a release that no module has is an error, and nothing is deployed") {
  const User user;
  user.module("web", "[release:stable]\nversion = 1\n");
  const base::CommandResult result = user.run(user.deploy({"-r", "stabel"}));
  INFO(result.output);
  CHECK(result.status == 2);
  CHECK(says(result, "stable"));
  CHECK_FALSE(fs::exists(user.project() / "deployed"));
}

TEST_CASE("a host that nobody knows is an error with the near one, not a listing and success") {
  const User user;
  const base::CommandResult result = user.run(user.deploy({"--host", "hree"}));
  INFO(result.output);
  CHECK(result.status == 2);
  CHECK(says(result, "did you mean \"here\""));
}

TEST_CASE("the agent of the operator's keys is not forwarded to the target") {
  const ThrowawaySshd sshd;
  const User user;
  user.write("project.ini", "[project]\nname = Faults\n[hosts]\nfar = " + sshd.user() +
                                "@127.0.0.1:" + std::to_string(sshd.port()) +
                                "\n[host:far]\nidentity = " + sshd.identity().string() + "\n");
  base::Command command =
      user.command({User::program(), "run", "--host", "far", "--known-hosts", sshd.known_hosts().string(),
                    "--", "sh", "-c", "echo agent=$SSH_AUTH_SOCK."});
  command.set_environment["SSH_AUTH_SOCK"] = (user.home() / "no-agent").string();
  const auto result = base::run_command(command, base::Deadline::in(std::chrono::seconds(60)), {});
  INFO(result.output);
  CHECK(result.status == 0);
  CHECK(says(result, "far: agent=."));
}

}  // namespace porter::tests
