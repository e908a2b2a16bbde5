#include "core/agent/space.h"

#include "core/base/error.h"
#include "tests/support/catch.h"
#include "tests/unit/agent/site_fixture.h"

namespace porter::agent {

using namespace testing;  // NOLINT
using base::TemporaryFolder;

namespace {

constexpr std::uint64_t kMiB = 1U << 20U;

Space plain(std::uint64_t bytes, std::uint64_t inodes) {
  Space space;
  space.free_bytes = bytes;
  space.free_inodes = inodes;
  space.sizes_tell = space.copies_cost = true;
  space.mount_point = "/srv";
  return space;
}

base::Error refusal(const Need& need, const Space& space) {
  try {
    check_room(need, space, "/srv/app");
  } catch (const base::Error& error) {
    return error;
  }
  FAIL("it fits");
  throw;
}

bool is_let_in(const Need& need, const Space& space) {
  return code_of([&] { check_room(need, space, "/srv/app"); }) != base::Code::no_space;
}

}  // namespace

TEST_CASE("a mount point is the nearest above the path, of the right device, with its name in clear") {
  const std::string info =
      "22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
      "30 22 0:25 / /srv rw - tmpfs none rw\n"
      "31 30 8:17 /sub /srv/my\\040data rw - ext4 /dev/sdb1 rw\n"
      "a line that says nothing\n";
  CHECK(mount_point_of(info, "/srv/my data/app", "8:17") == "/srv/my data");
  CHECK(mount_point_of(info, "/srv/my data", "8:17") == "/srv/my data");
  CHECK(mount_point_of(info, "/srv/my database", "0:25") == "/srv");
  CHECK(mount_point_of(info, "/srvx", "8:1") == "/");
  // A subvolume has a device of its own, which is listed nowhere.
  CHECK(mount_point_of(info, "/srv/app", "0:99") == "/srv");
  // A mount that a later one hides.
  CHECK(mount_point_of(info, "/srv/app", "8:1") == "/");
  CHECK(mount_point_of("", "/srv", "8:1").empty());
}

TEST_CASE("what a release needs: blocks of what is written, an inode for every entry") {
  const sync::Tree tree = make_tree({{"a", file("")},
                                     {"b", file(std::string(1, 'b'))},
                                     {"c", file(std::string(4097, 'c'))},
                                     {"d", folder()},
                                     {"d/link", link("../a")}});
  const std::vector<Coming> all(3, Coming::sent);
  const std::vector<Coming> last = {Coming::cloned, Coming::cloned, Coming::sent};
  const Space space = plain(0, 0);
  CHECK(need_of(tree, all, Layout::releases, Take::automatic, space).bytes == 3 * 4096);
  CHECK(need_of(tree, all, Layout::releases, Take::automatic, space).inodes == 5);
  // Copies of what is there need blocks, too, where they cannot be shared.
  CHECK(need_of(tree, last, Layout::releases, Take::automatic, space).bytes == 3 * 4096);
  Space shared = space;
  shared.copies_cost = false;
  CHECK(need_of(tree, last, Layout::releases, Take::automatic, shared).bytes == 2 * 4096);
  CHECK(need_of(tree, last, Layout::releases, Take::automatic, shared).inodes == 5);
  // What a spare has is paid for.
  CHECK(need_of(tree, {Coming::there, Coming::there, Coming::sent}, Layout::releases, Take::automatic, space)
            .bytes == 2 * 4096);
  // A second name is no file.
  CHECK(need_of(tree, last, Layout::releases, Take::hard, space).bytes == 2 * 4096);
  CHECK(need_of(tree, last, Layout::releases, Take::hard, space).inodes == 3);
  // Inplace only what changes is written.
  CHECK(need_of(tree, last, Layout::inplace, Take::automatic, space).bytes == 2 * 4096);
  CHECK(need_of(tree, last, Layout::inplace, Take::automatic, space).inodes == 1);
  // Where files are compressed nobody knows.
  shared.sizes_tell = false;
  CHECK(need_of(tree, all, Layout::releases, Take::automatic, shared).bytes == 0);
}

TEST_CASE("a release that does not fit is refused with both numbers") {
  CHECK(is_let_in({8 * kMiB, 100}, plain(9 * kMiB, 200)));
  const base::Error bytes = refusal({8 * kMiB, 100}, plain(9 * kMiB - 1, 200));
  CHECK(bytes.code() == base::Code::no_space);
  CHECK(bytes.message().find("/srv/app") == 0);
  CHECK(bytes.message().find("needs 9.0 MiB") != std::string::npos);
  CHECK(bytes.message().find("free are 9.0 MiB") != std::string::npos);
  CHECK(is_let_in({0, 100}, plain(2 * kMiB, 116)));
  CHECK(refusal({0, 100}, plain(2 * kMiB, 115)).message().find("115") != std::string::npos);
  // No fixed number of inodes is no limit.
  CHECK(is_let_in({0, 1U << 30U}, plain(2 * kMiB, Space::kNoLimit)));
  Space unknown = plain(0, 1000);
  unknown.sizes_tell = false;
  CHECK(is_let_in({0, 10}, unknown));
}

TEST_CASE("a full file system is named with what is used up and what to remove") {
  const std::string bytes = space_hint(plain(4096, 5000), "/srv/app/releases");
  CHECK(bytes.find("at /srv ") != std::string::npos);
  CHECK(bytes.find("no space") != std::string::npos);
  CHECK(bytes.find("4.0 KiB and 5000 inodes are free") != std::string::npos);
  CHECK(bytes.find("/srv/app/releases") != std::string::npos);
  CHECK(bytes.find("keep_releases") != std::string::npos);
  const std::string inodes = space_hint(plain(1U << 30U, 0), "");
  CHECK(inodes.find("no inodes") != std::string::npos);
  CHECK(inodes.find("keep_releases") == std::string::npos);
}

TEST_CASE("only an error about space gets the hint, and the real file system is asked") {
  const TemporaryFolder temporary;
  const base::Error other = with_space_hint(base::Error(base::Code::io, "x"), temporary.path());
  CHECK(other.hint_text().empty());
  fs::create_directory(temporary.path() / "releases");
  const base::Error full = with_space_hint(base::Error(base::Code::no_space, "x"), temporary.path());
  CHECK(full.message() == "x");
  CHECK(full.hint_text().find((temporary.path() / "releases").string()) != std::string::npos);
  const Space space = space_at((temporary.path() / "not/there/yet").string());
  CHECK(space.free_bytes > 0);
  REQUIRE_FALSE(space.mount_point.empty());
  CHECK(space.mount_point.front() == '/');
}

}  // namespace porter::agent
