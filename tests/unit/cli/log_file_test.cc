#include "core/cli/log_file.h"

#include <sys/stat.h>

#include "core/base/error.h"
#include "tests/support/catch.h"
#include "tests/unit/cli/cli_fixture.h"

using namespace porter;

namespace {

unsigned mode_of(const std::filesystem::path& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777U;
}

}  // namespace

TEST_CASE("a log is for its owner alone, whatever the umask", "[log_file]") {
  const tests::TestWorld here;
  const mode_t before = ::umask(0);
  const auto logs = here.world.state_folder() / "logs";
  SECTION("a new folder") {}
  SECTION("an old folder that was open") {
    base::make_folders(logs, 0755);
  }
  const cli::LogFile log(here.world, "run1");
  ::umask(before);
  CHECK(log.path() == logs / "run1.log");
  CHECK(mode_of(log.path()) == 0600);
  CHECK(mode_of(logs) == 0700);
}

TEST_CASE("a log holds every event at full detail, but no progress", "[log_file]") {
  const tests::TestWorld here;
  cli::LogFile log(here.world, "run1");
  log.handle(event::Talk{event::Level::debug, "", "", "", "a detail"});
  log.handle(event::Progress{"m", "h", "sending", 1, 2});
  log.handle(event::RunFinished{5, "the cause", 1, "", ""});
  const std::string text = base::read_file(log.path());
  CHECK(text.find("Z a detail\n") != std::string::npos);
  CHECK(text.find("\"cause\":\"the cause\"") != std::string::npos);
  CHECK(text.find("sending") == std::string::npos);
  CHECK(std::count(text.begin(), text.end(), '\n') == 2);
}

TEST_CASE("a log that cannot be made is an error with its path", "[log_file]") {
  tests::TestWorld here;
  const auto file = here.folder.path() / "file";
  base::write_file(file, "x");
  here.world.environment["XDG_STATE_HOME"] = file.string();
  CHECK_THROWS_AS(cli::LogFile(here.world, "run1"), base::Error);
}

TEST_CASE("a log is never written through a link, nor into another run's", "[log_file]") {
  const tests::TestWorld here;
  const auto logs = here.world.state_folder() / "logs";
  base::make_folders(logs);
  base::write_file(here.folder.path() / "precious", "x");
  std::filesystem::create_symlink(here.folder.path() / "precious", logs / "run1.log");
  CHECK_THROWS_AS(cli::LogFile(here.world, "run1"), base::Error);
  CHECK(base::read_file(here.folder.path() / "precious") == "x");
}
