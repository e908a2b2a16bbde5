// Commands that need no worker, run as a whole: create-project, hosts, plugins, explain.
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/cli/app.h"
#include "core/cli/create_project.h"
#include "core/cli/load_project.h"
#include "tests/support/catch.h"
#include "tests/support/error_of.h"
#include "tests/unit/cli/cli_fixture.h"

using namespace porter;
using tests::error_of;

TEST_CASE("a new project says where it is and what to type next", "[create_project]") {
  tests::TestWorld here;
  CHECK(cli::run({"create-project", "my project"}, here.world) == 0);
  CHECK(here.out.str() == "made " + (here.world.directory / "my project").string() + "\n");
  CHECK(here.err.str() == "next: cd 'my project' && porter-admin deploy --config testing\n");
}

TEST_CASE("a new project is one, whatever plain name it has", "[create_project]") {
  const std::string name = GENERATE("shop", "my project", "100%", "%(x)s", "%%", "a#b", "[x]", "grüße", "a=b",
                                    "\"x\"", "a'b", "$HOME");
  tests::TestWorld here;
  cli::create_project(name, here.world);
  here.world.directory /= name;
  const settings::Project project = cli::load_project(here.world, {});
  CHECK(project.name == name);
  REQUIRE(project.hosts.size() == 1);
  CHECK(project.hosts.front().local);
}

TEST_CASE("what cannot be a folder or a name is refused, and nothing is made", "[create_project]") {
  const std::string name =
      GENERATE("", "-x", ".hidden", "..", "a/b", "/x", "a\nb", "a\x1b", "\xff", " a", "a ", "a ;b", ";");
  const tests::TestWorld here;
  CHECK(error_of([&] { cli::create_project(name, here.world); }).code() == base::Code::usage);
  CHECK(std::filesystem::is_empty(here.world.directory));
}

TEST_CASE("an existing folder is refused and left alone", "[create_project]") {
  tests::TestWorld here;
  const auto place = here.world.directory / "x";
  SECTION("a folder") {
    base::make_folders(place);
    CHECK(cli::run({"create-project", "x"}, here.world) == 2);
    CHECK(std::filesystem::is_empty(place));
  }
  SECTION("a file") {
    base::write_file(place, "mine");
    CHECK(cli::run({"create-project", "x"}, here.world) == 2);
    CHECK(base::read_file(place) == "mine");
  }
  SECTION("a dangling link") {
    std::filesystem::create_symlink("nowhere", place);
    CHECK(cli::run({"create-project", "x"}, here.world) == 2);
    CHECK_FALSE(std::filesystem::exists(here.world.directory / "nowhere"));
  }
  CHECK(here.err.str().find(place.string() + " exists already\nhint: ") != std::string::npos);
}

TEST_CASE("hosts are listed for people and as JSON", "[listings]") {
  tests::TestWorld here;
  base::write_file(here.world.directory / "project.ini",
                   "[project]\nname = P\n[hosts]\nhere = local:\nweb = ann@w[1:2].example.org:2222\n"
                   "[host:here]\ntags = canary\n");
  REQUIRE(cli::run({"hosts"}, here.world) == 0);
  CHECK(here.out.str().starts_with("here => local:  @canary\n"));
  here.out.str("");
  REQUIRE(cli::run({"hosts", "--json"}, here.world) == 0);
  const auto list = nlohmann::json::parse(here.out.str());
  REQUIRE(list.size() == 3);
  CHECK(list[0] == nlohmann::json{{"name", "here"},
                                  {"target", "local:"},
                                  {"groups", nlohmann::json::array()},
                                  {"tags", {"canary"}}});
  CHECK(list[1].at("target") == "ann@w1.example.org:2222");
  CHECK(list[1].at("groups") == nlohmann::json{"web"});
}

TEST_CASE("plugins are listed as JSON, and a file that is none says why", "[listings]") {
  tests::TestWorld here;
  const auto folder = here.folder.path() / "plugins";
  base::make_folders(folder);
  base::write_file(folder / "acme.broken.so", "this is no shared object");
  REQUIRE(cli::run({"plugins", "--json", "--plugin-path", folder.string()}, here.world) == 0);
  const auto list = nlohmann::json::parse(here.out.str());
  const auto broken = std::find_if(list.begin(), list.end(),
                                   [](const auto& each) { return each.at("name") == "acme.broken"; });
  REQUIRE(broken != list.end());
  CHECK(broken->at("file") == (folder / "acme.broken.so").string());
  CHECK(broken->at("refused").template get<std::string>().starts_with("error[P500]"));
  here.out.str("");
  CHECK(cli::run({"plugins", "acme.broken", "--plugin-path", folder.string()}, here.world) == 10);
  CHECK(here.out.str().find("refused: error[P500]") != std::string::npos);
}

TEST_CASE("a plugin, a host and a key that are not there have an exit code and a word", "[listings]") {
  tests::TestWorld here;
  CHECK(cli::run({"plugins", "acme.nowhere"}, here.world) == 2);
  CHECK(cli::run({"hosts"}, here.world) == 2);
  base::write_file(here.world.directory / "project.ini", "[project]\nname = P\n[hosts]\nweb01 = local:\n");
  here.err.str("");
  CHECK(cli::run({"hosts", "trust", "web1"}, here.world) == 2);
  CHECK(here.err.str() == "error[P200] the project has no host \"web1\"\nhint: did you mean \"web01\"?\n");
  CHECK(cli::run({"hosts", "trust", "web01"}, here.world) == 0);
  CHECK(here.out.str() == "web01 is this machine: there is no key to trust\n");
}

TEST_CASE("a key is explained outside a project, too", "[listings]") {
  tests::TestWorld here;
  CHECK(cli::run({"explain", "keep_releases"}, here.world) == 0);
  CHECK(here.out.str().find("keep_releases") != std::string::npos);
  CHECK(cli::run({"explain", "keep_relaeses"}, here.world) == 2);
  CHECK(here.err.str().find("did you mean") != std::string::npos);
}
