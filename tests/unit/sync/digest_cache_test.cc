#include "core/sync/digest_cache.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "core/base/fd.h"
#include "core/base/files.h"
#include "tests/support/catch.h"
#include "tests/unit/sync/sample_trees.h"

using namespace porter;
using namespace porter::sync;
using namespace porter::sync::test;
namespace fs = std::filesystem;

namespace {

struct Cached {
  Cached() {
    for (int i = 0; i < 30; ++i)
      put_file(source() / ("d" + std::to_string(i % 3)) / std::to_string(i), "content " + std::to_string(i));
  }
  fs::path source() const { return home.path() / "source"; }
  fs::path cache() const { return home.path() / "cache/digests"; }
  fs::path only_file() const { return fs::directory_iterator(cache())->path(); }
  Tree walk() { return DigestCache(cache()).walk(source().string(), {}, &counts); }

  base::TemporaryFolder home;
  WalkCounts counts;
};

}  // namespace

TEST_CASE("a second walk reads nothing, and a third what changed in between") {
  Cached at;
  const Tree first = at.walk();
  CHECK(at.counts.files_hashed == 30);
  const Tree second = at.walk();
  CHECK(at.counts.files_hashed == 0);
  CHECK(at.counts.files_trusted == 30);
  CHECK(second == first);
  put_file(at.source() / "d1/1", "CONTENT 1");
  fs::remove(at.source() / "d2/2");
  put_file(at.source() / "new/3", "three");
  const Tree third = at.walk();
  CHECK(at.counts.files_hashed == 2);
  CHECK(third == walk_folder(at.source().string(), [] {
          WalkOptions stamps;
          stamps.stamps = Stamps::yes;
          return stamps;
        }()));
}

TEST_CASE("a few changed files are read again until they are worth writing the cache anew") {
  Cached at;
  for (int i = 0; i < 70; ++i)
    put_file(at.source() / "more" / std::to_string(i), "more " + std::to_string(i));
  at.walk();
  put_file(at.source() / "more/1", "changed");
  for (int i = 0; i < 2; ++i) {
    CHECK(at.walk().find("more/1")->digest == base::sha256("changed"));
    CHECK(at.counts.files_hashed == 1);
  }
  for (int i = 0; i < 4; ++i)
    put_file(at.source() / "more" / std::to_string(i), "changed " + std::to_string(i));
  at.walk();
  CHECK(at.counts.files_hashed == 4);
  at.walk();
  CHECK(at.counts.files_hashed == 0);
}

TEST_CASE("a change that hides behind size and time shows by its ctime") {
  Cached at;
  at.walk();
  struct stat before {};
  REQUIRE(::stat((at.source() / "d1/1").c_str(), &before) == 0);
  const base::UniqueFd fd(::open((at.source() / "d1/1").c_str(), O_WRONLY));
  base::write_all(fd.get(), "CONTENT");
  const struct timespec times[2] = {before.st_atim, before.st_mtim};
  REQUIRE(::futimens(fd.get(), times) == 0);
  CHECK(at.walk().find("d1/1")->digest == base::sha256("CONTENT 1"));
}

TEST_CASE("a cache that is cut, changed at any byte or of another folder is as good as none") {
  Cached at;
  const Tree right = at.walk();
  const std::string whole = base::read_file(at.only_file());
  const fs::path file = at.only_file();
  for (std::size_t i = 0; i < whole.size(); i += 37) {
    std::string spoilt = whole;
    spoilt[i] = static_cast<char>(spoilt[i] ^ 1);
    base::write_file(file, spoilt);
    REQUIRE(at.walk().root_digest() == right.root_digest());
    REQUIRE(at.counts.files_hashed == 30);
    base::write_file(file, whole.substr(0, i));
    REQUIRE(at.walk().root_digest() == right.root_digest());
    REQUIRE(at.counts.files_hashed == 30);
  }
  // The same path, and another folder: what is known of the old one's inodes says nothing.
  base::write_file(file, whole);
  fs::rename(at.source(), at.home.path() / "old");
  put_file(at.source() / "d1/1", "another");
  CHECK(at.walk().find("d1/1")->digest == base::sha256("another"));
  CHECK(at.counts.files_trusted == 0);
}

TEST_CASE("a cache that cannot be written costs time alone, and its folder is the user's own") {
  Cached at;
  SECTION("a file in the way") {
    base::make_folders(at.home.path() / "cache");
    base::write_file(at.home.path() / "cache/digests", "in the way");
    CHECK(at.walk().file_count() == 30);
    CHECK(at.walk().file_count() == 30);
    CHECK(at.counts.files_hashed == 30);
  }
  SECTION("modes") {
    at.walk();
    CHECK((fs::status(at.cache()).permissions() & fs::perms(077)) == fs::perms::none);
    CHECK((fs::status(at.only_file()).permissions() & fs::perms(077)) == fs::perms::none);
  }
  SECTION("what nobody used for two months goes") {
    at.walk();
    const fs::path old = at.only_file();
    fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours(24 * 70));
    put_file(at.home.path() / "other/a", "a");
    DigestCache(at.cache()).walk((at.home.path() / "other").string(), {});
    CHECK_FALSE(fs::exists(old));
  }
}
