// An SDK prefix, a project of its own, two compilers: what a plugin author outside of this checkout does.

#include "core/base/files.h"
#include "tests/integration/sdk/workshop.h"
#include "tests/support/catch.h"

using namespace porter;
using namespace porter::tests;
namespace fs = std::filesystem;

namespace {

const fs::path kSource = PORTER_SOURCE_FOLDER;

bool is_there(const std::string& compiler) {
  return fs::exists("/usr/bin/" + compiler);
}

}  // namespace

TEST_CASE("a plugin built with only the installed SDK loads, from g++ and from clang++", "[sdk]") {
  const base::TemporaryFolder folder;
  const fs::path prefix = folder.path() / "prefix";
  const fs::path project = folder.path() / "project";
  run_tool(
      {PORTER_CMAKE, "--install", PORTER_BUILD_FOLDER, "--prefix", prefix.string(), "--component", "sdk"});
  REQUIRE(fs::exists(prefix / "include/porter/porter.h"));
  fs::copy(kSource / "tests/integration/sdk/project", project);
  fs::copy_file(kSource / "tests/fixtures/plugins/acme_audit.cc", project / "acme_audit.cc");

  for (const std::string compiler : {"g++", "clang++"}) {
    CAPTURE(compiler);
    // A sanitizer's run-time library is its compiler's own: no mixing there.
    if (!is_there(compiler) || (kSanitizer != "none" && compiler != "g++")) {
      WARN("SKIPPED: " << compiler);
      continue;
    }
    const fs::path build = folder.path() / compiler;
    run_tool({PORTER_CMAKE, "-G", "Ninja", "-S", project.string(), "-B", build.string(),
              "-DCMAKE_PREFIX_PATH=" + prefix.string(), "-DCMAKE_CXX_COMPILER=" + compiler,
              "-DCMAKE_CXX_FLAGS=" + fitting_flags()});
    run_tool({PORTER_CMAKE, "--build", build.string()});
    plugin::LoadedPlugin loaded = load_any(build / "acme.audit.so");
    CHECK(loaded.note().name == "acme.audit");
    CHECK(loaded.note().version == "1.2");
    REQUIRE(loaded.note().arguments.size() == 1);
    CHECK(loaded.note().arguments[0].name == "audit-note");
  }
}

TEST_CASE("the installed SDK is headers and build files, and nothing else of this project", "[sdk]") {
  const base::TemporaryFolder folder;
  run_tool({PORTER_CMAKE, "--install", PORTER_BUILD_FOLDER, "--prefix", folder.path().string(), "--component",
            "sdk"});
  std::size_t headers = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
    if (!entry.is_regular_file()) continue;
    const std::string extension = entry.path().extension().string();
    CAPTURE(entry.path().string());
    CHECK((extension == ".h" || extension == ".cmake"));
    if (extension != ".h") continue;
    ++headers;
    CHECK(base::read_file(entry.path()).find("\"core/") == std::string::npos);
  }
  CHECK(headers >= 8);
}
