// What a kill, a full disk or a curious user may have left in the cache.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <thread>

#include "core/base/clock.h"
#include "core/base/fd.h"
#include "core/base/text.h"
#include "core/source/build.h"
#include "core/source/git_cache.h"
#include "core/source/source.h"
#include "tests/support/catch.h"
#include "tests/unit/source/test_repository.h"

using namespace porter;
using test::listing;
using test::SourceWorld;
using Names = std::vector<std::string>;
namespace fs = std::filesystem;

namespace {

source::GitCache cache_of(const SourceWorld& world) {
  return {world.cache(), world.repository.folder().string()};
}

fs::path slot_of(const SourceWorld& world) {
  for (const auto& entry : fs::directory_iterator(cache_of(world).trees())) {
    if (entry.is_directory()) return entry.path();
  }
  throw std::logic_error("there is no working tree");
}

void overwrite_all(const fs::path& folder, std::string_view content) {
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    fs::permissions(entry.path(), fs::perms(0600));
    std::ofstream(entry.path()) << content;
  }
}

struct Damage {
  std::string name;
  std::function<void(const SourceWorld&)> apply;
};

const std::vector<Damage>& damages() {
  static const std::vector<Damage> all = {
      {"an empty folder in the repository's place",
       [](const SourceWorld& w) {
         fs::remove_all(cache_of(w).repository());
         fs::create_directory(cache_of(w).repository());
       }},
      {"a half made repository beside it",
       [](const SourceWorld& w) {
         fs::rename(cache_of(w).repository(), cache_of(w).repository().string() + ".new");
       }},
      {"no HEAD", [](const SourceWorld& w) { fs::remove(cache_of(w).repository() / "HEAD"); }},
      {"damaged configuration",
       [](const SourceWorld& w) { base::write_file(cache_of(w).repository() / "config", "[[[\n"); }},
      {"a forgotten lock of packed refs",
       [](const SourceWorld& w) { base::write_file(cache_of(w).repository() / "packed-refs.lock", ""); }},
      {"a forgotten lock of a branch",
       [](const SourceWorld& w) { base::write_file(cache_of(w).repository() / "refs/heads/main.lock", ""); }},
      {"empty objects",
       [](const SourceWorld& w) { overwrite_all(cache_of(w).repository() / "objects", ""); }},
      {"damaged objects",
       [](const SourceWorld& w) { overwrite_all(cache_of(w).repository() / "objects", "damaged"); }},
      {"a forgotten lock of the index",
       [](const SourceWorld& w) { base::write_file(slot_of(w) / "git/index.lock", ""); }},
      {"a damaged index",
       [](const SourceWorld& w) { base::write_file(slot_of(w) / "git/index", "damaged"); }},
      {"no git folder beside the tree", [](const SourceWorld& w) { fs::remove_all(slot_of(w) / "git"); }},
      {"a half made git folder", [](const SourceWorld& w) { fs::remove_all(slot_of(w) / "git/objects"); }},
      {"no tree", [](const SourceWorld& w) { fs::remove_all(slot_of(w) / "tree"); }},
      {"a file in the tree's place",
       [](const SourceWorld& w) {
         const fs::path slot = slot_of(w);
         fs::remove_all(slot);
         base::write_file(slot, "");
       }},
  };
  return all;
}

}  // namespace

TEST_CASE("A cache that was damaged in any way is repaired by itself") {
  for (const Damage& damage : damages()) {
    CAPTURE(damage.name);
    const SourceWorld world;
    world.repository.commit("same", "x");
    world.repository.commit("file", "one");
    world.checkout();
    damage.apply(world);
    CHECK(listing(world.checkout().tree) == Names{"file=one", "same=x"});
    damage.apply(world);
    world.repository.commit("file", "two");
    CHECK(listing(world.checkout().tree) == Names{"file=two", "same=x"});
  }
}

TEST_CASE("A checkout that is killed at any moment does not disturb the next one") {
  const SourceWorld world;
  for (int i = 0; i < 100; ++i)
    world.repository.write("f" + std::to_string(i), std::string(2000, 'x'));
  world.repository.commit_all();
  const Names expected = listing(world.repository.folder());
  int killed = 0;
  // Later and later, until a checkout of an empty cache was quick enough.
  for (auto wait = std::chrono::milliseconds(2);; wait += wait / 2) {
    fs::remove_all(world.cache());
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      world.checkout();
      ::_exit(0);
    }
    std::this_thread::sleep_for(wait);
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    INFO("killed after " << wait.count() << " ms");
    CHECK(listing(world.checkout().tree) == expected);
    if (WIFEXITED(status)) break;
    ++killed;
  }
  CHECK(killed > 0);
}

TEST_CASE("A tree in which a killed run's build still works is left to it") {
  const SourceWorld world;
  world.repository.commit("file", "one");
  const fs::path started = world.folder.path() / "started";
  const fs::path gate = world.folder.path() / "gate";  // the build ends when this pipe is opened for writing
  REQUIRE(::mkfifo(gate.c_str(), 0600) == 0);
  const pid_t run = ::fork();
  REQUIRE(run >= 0);
  if (run == 0) {
    source::BuildRequest request;
    request.arguments = {"sh", "-c", "pwd >\"$1.new\"; mv \"$1.new\" \"$1\"; : <\"$2\"", "sh", started, gate};
    source::run_build(world.checkout(), request, {});
    ::_exit(0);
  }
  const base::Deadline deadline = base::Deadline::in(std::chrono::seconds(60));
  while (!fs::exists(started) && !deadline.passed())
    std::this_thread::yield();
  ::kill(run, SIGKILL);
  REQUIRE(::waitpid(run, nullptr, 0) == run);
  const fs::path busy = base::split(base::read_file(started), '\n').at(0);
  CHECK(fs::canonical(world.checkout().tree) != busy);
  base::UniqueFd(::open(gate.c_str(), O_WRONLY | O_CLOEXEC)).reset();
  while (fs::canonical(world.checkout().tree) != busy && !deadline.passed())
    std::this_thread::yield();
  CHECK_FALSE(deadline.passed());
}
