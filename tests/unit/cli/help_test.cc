// What --help says, command by command, held against tests/data/cli. PORTER_REGENERATE=1 writes the files
// anew.
#include <stdlib.h>

#include "core/base/text.h"
#include "core/cli/app.h"
#include "core/cli/arguments.h"
#include "core/cli/version.h"
#include "tests/support/catch.h"
#include "tests/unit/cli/cli_fixture.h"

using namespace porter;

namespace {

void check_golden(const std::string& name, const std::string& text) {
  const std::filesystem::path file = std::filesystem::path(PORTER_TEST_DATA) / "cli" / (name + ".txt");
  if (::getenv("PORTER_REGENERATE") != nullptr) base::write_file(file, text);
  INFO("PORTER_REGENERATE=1 accepts the new text of " << file);
  CHECK(base::read_file(file) == text);
}

std::string said(const std::vector<std::string>& arguments, int code = 0) {
  tests::TestWorld here;
  CHECK(cli::run(arguments, here.world) == code);
  CHECK(here.err.str().empty());
  return here.out.str();
}

}  // namespace

TEST_CASE("every command has a help, outside a project too", "[help]") {
  const auto [name, arguments] = GENERATE(table<std::string, std::vector<std::string>>({
      {"help", {"--help"}},
      {"help-deploy", {"deploy", "--help"}},
      {"help-run", {"run", "-h"}},
      {"help-create-project", {"create-project", "--help"}},
      {"help-plugins", {"plugins", "--help"}},
      {"help-hosts", {"hosts", "--help"}},
      {"help-hosts-trust", {"hosts", "trust", "--help"}},
      {"help-explain", {"explain", "--help"}},
      {"help-resume", {"resume", "--help"}},
  }));
  check_golden(name, said(arguments));
}

TEST_CASE("without a command the help is shown", "[help]") {
  CHECK(said({}) == said({"--help"}));
}

TEST_CASE("arguments of plugins are in a group of their own", "[help]") {
  const tests::TestWorld here;
  const std::string text =
      cli::parse_arguments({"deploy", "--help"},
                           {{"acme.audit", "audit-level", true, "how much to write down"},
                            {"acme.audit", "audit-all", false, "write everything down"}},
                           here.world)
          .text;
  check_golden("help-deploy-plugins", std::string(base::trim(text)) + "\n");
}

TEST_CASE("the version is one line", "[help]") {
  CHECK(said({"--version"}) == std::string("porter-admin ") + cli::kVersion + "\n");
}

TEST_CASE("a mistyped line ends with 2 and one error on stderr", "[help]") {
  tests::TestWorld here;
  CHECK(cli::run({"depoly"}, here.world) == 2);
  CHECK(here.out.str().empty());
  CHECK(here.err.str() ==
        "error[P200] unknown argument or command \"depoly\"\nhint: did you mean \"deploy\"?\n");
}

TEST_CASE("a worker is not for people", "[help]") {
  const tests::TestWorld here;
  CHECK(cli::run({"worker", "987654"}, here.world) == 2);
}
