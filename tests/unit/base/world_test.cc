#include "core/base/world.h"

#include <stdlib.h>

#include "tests/support/catch.h"

using namespace porter::base;

namespace {

World world_with(std::map<std::string, std::string> environment) {
  World world;
  world.environment = std::move(environment);
  return world;
}

}  // namespace

TEST_CASE("an empty variable is as good as none", "[world]") {
  const World world = world_with({{"A", "x"}, {"B", ""}});
  CHECK(world.variable("A") == "x");
  CHECK_FALSE(world.variable("B"));
  CHECK_FALSE(world.variable("C"));
}

TEST_CASE("folders follow HOME and the XDG variables", "[world]") {
  const World plain = world_with({{"HOME", "/home/ann"}});
  CHECK(plain.config_folder() == "/home/ann/.config/porter");
  CHECK(plain.cache_folder() == "/home/ann/.cache/porter");
  CHECK(plain.state_folder() == "/home/ann/.local/state/porter");
  const World moved = world_with(
      {{"HOME", "/home/ann"}, {"XDG_CONFIG_HOME", "/c"}, {"XDG_CACHE_HOME", "/k"}, {"XDG_STATE_HOME", "/s"}});
  CHECK(moved.config_folder() == "/c/porter");
  CHECK(moved.cache_folder() == "/k/porter");
  CHECK(moved.state_folder() == "/s/porter");
}

TEST_CASE("without HOME the password database is asked", "[world]") {
  CHECK(world_with({}).home().is_absolute());
}

TEST_CASE("the world of the process is the process's", "[world]") {
  ::setenv("PORTER_WORLD_TEST", "a=b", 1);
  const World world = process_world();
  CHECK(world.variable("PORTER_WORLD_TEST") == "a=b");
  CHECK(world.directory == std::filesystem::current_path());
  CHECK(world.terminal_width > 0);
  CHECK(world.out != nullptr);
  CHECK(world.err != nullptr);
  const auto before = std::chrono::system_clock::now();
  CHECK(world.now() >= before);
  ::unsetenv("PORTER_WORLD_TEST");
}
