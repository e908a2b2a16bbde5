#include "core/settings/explain.h"

#include <cstdlib>

#include "core/settings/select.h"
#include "tests/unit/settings/fixture.h"

using namespace porter::settings;
using namespace porter::settings::test;

TEST_CASE("a key is explained without a project", "[explain]") {
  const std::string text = explain_key(nullptr, "keep-releases");
  CHECK(text.find("[module] keep_releases = a whole number (default: 5)") != std::string::npos);
  CHECK(explain_key(nullptr, "become").find("[host:NAME] become") != std::string::npos);
  CHECK(explain_key(nullptr, "host.become").find("[module]") == std::string::npos);
  CHECK(explain_key(nullptr, "release").find("[release:NAME]") == 0);
  CHECK(explain_key(nullptr, "hub").find("Not yet supported") != std::string::npos);
  CHECK(error_of([] { explain_key(nullptr, "keep_relases"); }).find("did you mean \"keep_releases\"?") !=
        std::string::npos);
}

TEST_CASE("inside a project a key's values and their lines are shown", "[explain]") {
  ProjectFixture shop;
  shop.write("project.ini", "[project]\ndepends = a, b\n[hosts]\nweb = w[1:2]\n[host:w1]\nbecome = app\n");
  shop.write("a/a.ini",
             "[module]\npath = /a\nkeep_releases = 3\nkeep_releases-w2 = 9\n[plugin:my.own]\ntoken = abc\n");
  shop.write("b/b.ini", "[module]\npath = /b\n");
  const Project project = shop.load([](const std::string& name) {
    return PluginSchema{name, {{"token", Type::secret, "", "The key."}}};
  });
  const std::string text = explain_key(&project, "keep_releases");
  CHECK(text.find("a: 3 (a/a.ini:3)") != std::string::npos);
  CHECK(text.find("a on w2: 9 (a/a.ini:4)") != std::string::npos);
  CHECK(text.find("b: 5 (default)") != std::string::npos);
  CHECK(explain_key(&project, "host.become").find("[host:w1]: app (project.ini:6)") != std::string::npos);
  const std::string token = explain_key(&project, "plugin:my.own.token");
  CHECK(token.find("a: (secret) (a/a.ini:6)") != std::string::npos);
  CHECK(token.find("abc") == std::string::npos);
  CHECK(explain_key(&project, "plugin:my.own").find("token") != std::string::npos);
}

// PORTER_REGENERATE=1 writes the tables anew.
TEST_CASE("docs/configuration.md holds the schema's tables word for word", "[docs]") {
  const std::string begin = "<!-- schema: begin -->\n";
  const std::string end = "<!-- schema: end -->\n";
  const std::filesystem::path file = std::filesystem::path(PORTER_DOCS) / "configuration.md";
  std::string text = porter::base::read_file(file);
  const std::size_t from = text.find(begin);
  const std::size_t to = text.find(end);
  REQUIRE(from != std::string::npos);
  REQUIRE(to != std::string::npos);
  const std::size_t first = from + begin.size();
  if (std::getenv("PORTER_REGENERATE") != nullptr) {
    text.replace(first, to - first, "\n" + reference_markdown());
    porter::base::write_file(file, text);
    return;
  }
  CHECK(text.substr(first, to - first) == "\n" + reference_markdown());
}

TEST_CASE("every key of the schema is in the reference", "[docs]") {
  const std::string text = reference_markdown();
  for (const SectionSpec& section : core_sections()) {
    for (const OptionSpec& option : section.options) {
      CAPTURE(section.name, option.name);
      CHECK_FALSE(option.help.empty());
      CHECK(text.find("| `" + option.name + "` |") != std::string::npos);
    }
  }
}
