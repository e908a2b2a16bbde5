#include "core/sync/content_spool.h"

#include <map>
#include <thread>
#include <vector>

#include "core/base/files.h"
#include "core/sync/walk.h"
#include "tests/support/catch.h"
#include "tests/unit/sync/sample_trees.h"

using namespace porter;
using namespace porter::sync;
using namespace porter::sync::test;
namespace fs = std::filesystem;

TEST_CASE("what several threads added is found in the file that it becomes, and before there is none") {
  const base::TemporaryFolder home;
  ContentSpool spool(home.path() / "spool");
  const auto content = [](int i) {
    return std::string(static_cast<std::size_t>(i) * 97, 'a') + std::to_string(i);
  };
  std::vector<std::thread> threads;
  for (int from = 0; from < 4; ++from) {
    threads.emplace_back([&, from] {
      for (int i = from; i < 400; i += 4)
        spool.add(base::sha256(content(i)), content(i));
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  CHECK(fs::is_empty(home.path() / "spool"));
  const fs::path file = home.path() / "named";
  const std::uint64_t size = spool.move_to(file);
  CHECK(size == fs::file_size(file));
  const std::string all = base::read_file(file);
  for (int i = 0; i < 400; ++i) {
    const auto part = spool.find(base::sha256(content(i)));
    REQUIRE(part);
    REQUIRE(all.substr(part->offset, part->size) == content(i));
  }
  CHECK_FALSE(spool.find(base::sha256("never added")));
  spool.add(base::sha256("late"), "late");
  CHECK_FALSE(spool.find(base::sha256("late")));
  CHECK((fs::status(home.path() / "spool").permissions() & fs::perms(077)) == fs::perms::none);
}

TEST_CASE("what is too large is not kept, and neither is anything where nothing can be kept") {
  const base::TemporaryFolder home;
  ContentSpool spool(home.path() / "spool");
  const std::string large(ContentSpool::kLargest + 1, 'x');
  spool.add(base::sha256(large), large);
  CHECK(spool.move_to(home.path() / "named") == 0);
  CHECK_FALSE(fs::exists(home.path() / "named"));
  base::write_file(home.path() / "file", "in the way");
  ContentSpool none(home.path() / "file/spool");
  none.add(base::sha256("a"), "a");
  CHECK(none.move_to(home.path() / "named") == 0);
  ContentSpool elsewhere(home.path() / "spool");
  elsewhere.add(base::sha256("a"), "a");
  CHECK(elsewhere.move_to("/proc/named") == 0);
  CHECK_FALSE(elsewhere.find(base::sha256("a")));
}

TEST_CASE("a walk gives away what it had to read, and nothing that it knew") {
  const base::TemporaryFolder home;
  put_file(home.path() / "d/small", "small");
  put_file(home.path() / "empty", "");
  put_file(home.path() / "large", std::string(kReadAtOnce + 1, 'l'));
  std::map<base::Digest, std::string> taken;
  WalkOptions options;
  options.stamps = Stamps::yes;
  options.threads = 1;
  options.take = [&](const base::Digest& digest, std::string_view bytes) { taken[digest] = bytes; };
  const Tree tree = walk_folder(home.path(), options);
  CHECK(taken ==
        std::map<base::Digest, std::string>{{base::sha256("small"), "small"}, {base::sha256(""), ""}});
  taken.clear();
  options.known = &tree;
  walk_folder(home.path(), options);
  CHECK(taken.empty());
}
