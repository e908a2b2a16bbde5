// The examples of docs/plugin-guide.md are compiled and loaded; what the guide says of signals, services and
// types is held against the headers.

#include <regex>

#include "core/base/files.h"
#include "tests/integration/sdk/workshop.h"
#include "tests/support/catch.h"

using namespace porter;
using namespace porter::tests;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

const fs::path kSource = PORTER_SOURCE_FOLDER;

struct Example {
  std::string name;
  std::string text;
};

// Blocks that begin with "```cpp NAME".
std::vector<Example> examples() {
  std::vector<Example> found;
  const std::string mark = "```cpp ";
  bool inside = false;
  for (const std::string& line : base::split(base::read_file(kSource / "docs/plugin-guide.md"), '\n')) {
    if (inside && line == "```") inside = false;
    if (inside) found.back().text += line + "\n";
    if (!inside && line.starts_with(mark)) {
      found.push_back({line.substr(mark.size()), ""});
      inside = true;
    }
  }
  return found;
}

std::string guide() {
  return base::read_file(kSource / "docs/plugin-guide.md");
}

}  // namespace

TEST_CASE("every example of the plugin guide compiles without a warning and loads", "[guide]") {
  const base::TemporaryFolder folder;
  const std::vector<Example> all = examples();
  REQUIRE(all.size() >= 4);
  for (const Example& example : all) {
    CAPTURE(example.name);
    const fs::path source = folder.path() / example.name;
    const fs::path library = folder.path() / (source.stem().string() + ".so");
    base::write_file(source, example.text);
    std::vector<std::string> arguments = {"c++",        "-std=c++20",   "-Wall",    "-Wextra",
                                          "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror",
                                          "-O1",        "-fPIC",        "-shared",  "-fvisibility=hidden"};
    if (!fitting_flags().empty()) arguments.push_back(fitting_flags());
    for (const std::string& each :
         {"-I" + (kSource / "sdk/include").string(), source.string(), std::string("-o"), library.string()})
      arguments.push_back(each);
    REQUIRE_NOTHROW(run_tool(arguments));
    CHECK_NOTHROW(load_any(library));
  }
}

TEST_CASE("the guide has every signal with its code", "[guide]") {
  const std::string header = base::read_file(kSource / "sdk/include/porter/signal.h");
  const std::regex declared(R"re(Signal (SIG_\w+)\{\s*(0x[0-9a-f]+),\s*"(SIG_\w+)"\})re");
  std::size_t count = 0;
  for (std::sregex_iterator each(header.begin(), header.end(), declared), end; each != end; ++each, ++count) {
    CHECK((*each)[1].str() == (*each)[3].str());
    CHECK_THAT(guide(), Contains("| `" + (*each)[1].str() + "` | " + (*each)[2].str() + " |"));
  }
  CHECK(count == 13);
}

TEST_CASE("every service of the headers is offered to plugins", "[guide]") {
  const std::string header = base::read_file(kSource / "sdk/include/porter/services.h");
  const std::regex id(R"re(kId = "([^"]+)")re");
  std::vector<std::string> declared;
  for (std::sregex_iterator each(header.begin(), header.end(), id), end; each != end; ++each)
    declared.push_back((*each)[1].str());
  CHECK(declared == plugin::sdk_services());
}

TEST_CASE("the guide has every service, option type and argument type", "[guide]") {
  for (const std::string& service : plugin::sdk_services())
    CHECK_THAT(guide(), Contains("`" + service + "`"));
  const std::string header = base::read_file(kSource / "sdk/include/porter/plugin.h");
  const std::regex types("enum class (?:Option|Argument)Type \\{ ([^}]*) \\}");
  std::size_t count = 0;
  for (std::sregex_iterator each(header.begin(), header.end(), types), end; each != end; ++each) {
    for (const std::string& type : base::comma_list((*each)[1].str())) {
      CHECK_THAT(guide(), Contains("`" + type + "`"));
      ++count;
    }
  }
  CHECK(count == 10);
}
