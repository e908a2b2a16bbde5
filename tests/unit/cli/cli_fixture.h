#pragma once
// A world in memory: streams to look into, an environment of its own, a fresh folder to stand in.

#include <sstream>

#include "core/base/files.h"
#include "core/base/world.h"

namespace porter::tests {

class TestWorld {
 public:
  TestWorld() {
    world.out = &out;
    world.err = &err;
    world.directory = folder.path() / "here";
    base::make_folders(world.directory);
    world.environment = {{"HOME", (folder.path() / "home").string()},
                         {"PORTER_SITE_CONFIG", (folder.path() / "no-site.ini").string()},
                         {"TERM", "xterm"}};
    world.now = [] { return base::WallTime(std::chrono::seconds(1795244709)); };
  }

  base::TemporaryFolder folder;
  std::ostringstream out;
  std::ostringstream err;
  base::World world;
};

}  // namespace porter::tests
