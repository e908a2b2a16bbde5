#include <sys/stat.h>

#include <algorithm>

#include "core/endpoint/content_store.h"
#include "tests/unit/endpoint/fixture.h"

using namespace porter;
using namespace porter::tests;

namespace {

struct Tree {
  base::TemporaryFolder folder;
  fs::path source = folder.path() / "source";
  fs::path site = folder.path() / "site";

  Tree() {
    for (int i = 0; i < 300; ++i)
      write(source / ("dir" + std::to_string(i % 17)) / ("file" + std::to_string(i)),
            "content " + std::to_string(i));
    write(source / "large", random_bytes(4U << 20U, 7));
    write(source / "empty", "");
    write(source / "odd \n\xff name", "odd");
    write(source / "run.sh", "#!/bin/sh\n");
    ::chmod((source / "run.sh").c_str(), 0755);
    fs::create_directories(source / "nothing/here");
    fs::create_symlink("dir1/file1", source / "link");
  }
};

}  // namespace

namespace {

// For trees of large files alone.
class NothingSmall : public endpoint::ContentStore {
 public:
  void expect(const sync::Composed&, const std::vector<sync::EntryRef>&) override {}
  std::optional<std::string> read(const sync::Composed&, sync::EntryRef) override { return std::nullopt; }
  void keep_large(const sync::Entry&, int) override {}
};

}  // namespace

TEST_CASE("a first deploy brings the whole tree, a second look is one exchange and finds it", "[stage]") {
  const Tree tree;
  const LocalAgent agent;
  const sync::Composed composed = compose(tree.source);
  CHECK(agent->look({query(tree.site)}).at(0).standing == protocol::Standing::absent);

  agent->lock(lock_request(tree.site));
  const protocol::StageReport report = deploy(*agent.endpoint, tree.site, "r1", composed);
  CHECK(report.files_whole == 304);
  CHECK(report.files_delta == 0);
  CHECK(report.destination == (tree.site / "releases/r1").string());
  CHECK(fs::read_symlink(tree.site / "current") == "releases/r1");
  CHECK(listing(tree.source) == listing(tree.site / "current/"));

  const auto before = agent->traffic();
  const protocol::SiteState state = agent->look({query(tree.site)}).at(0);
  const auto after = agent->traffic();
  CHECK(after.exchanges - before.exchanges == 1);
  CHECK(after.frames_out - before.frames_out == 1);
  CHECK_FALSE(state.drifted());
  CHECK(state.current == "r1");
  CHECK(state.seal.skip_key == "key-r1");
  CHECK(state.releases.size() == 1);
  CHECK_FALSE(state.drifted());
}

TEST_CASE("exchanges do not depend on the number of files", "[stage]") {
  const base::TemporaryFolder folder;
  const LocalAgent agent;
  std::vector<std::uint64_t> exchanges;
  for (const int count : {3, 1000}) {
    const fs::path source = folder.path() / ("source" + std::to_string(count));
    const fs::path site = folder.path() / ("site" + std::to_string(count));
    for (int i = 0; i < count; ++i)
      write(source / std::to_string(i % 20) / std::to_string(i), std::to_string(i));
    const sync::Composed composed = compose(source);
    agent->lock(lock_request(site));
    const auto before = agent->traffic().exchanges;
    deploy(*agent.endpoint, site, "r1", composed);
    exchanges.push_back(agent->traffic().exchanges - before);
    CHECK(listing(source) == listing(site / "current/"));
  }
  CHECK(exchanges[0] == exchanges[1]);
  CHECK(exchanges[1] <= 6);
}

TEST_CASE("one changed file is all that travels", "[stage]") {
  const Tree tree;
  const LocalAgent agent;
  agent->lock(lock_request(tree.site));
  deploy(*agent.endpoint, tree.site, "r1", compose(tree.source));
  write(tree.source / "dir3/file3", "changed");
  fs::remove(tree.source / "dir4/file4");
  const sync::Composed composed = compose(tree.source);

  const sync::SyncPlan plan = agent->compare(query(tree.site), composed);
  CHECK(plan.totals.files_whole == 1);
  CHECK(plan.totals.removed == 1);

  const protocol::StageReport report = deploy(*agent.endpoint, tree.site, "r2", composed);
  CHECK(report.files_whole == 1);
  CHECK(report.files_kept == 302);
  CHECK(report.files_deleted == 1);
  CHECK(report.wire_in + report.wire_out < 20000);
  CHECK(listing(tree.source) == listing(tree.site / "current/"));
}

TEST_CASE("a large file that changed a little travels as a delta", "[stage]") {
  const base::TemporaryFolder folder;
  const fs::path source = folder.path() / "source";
  const fs::path site = folder.path() / "site";
  const LocalAgent agent;
  agent->lock(lock_request(site));
  const std::string content = random_bytes(32U << 20U, 11);
  write(source / "large", content);
  write(source / "other", random_bytes(1U << 20U, 12));
  deploy(*agent.endpoint, site, "r1", compose(source));

  const std::string inserted = random_bytes(1024, 13);
  write(source / "large", inserted + content);
  const protocol::StageReport front = deploy(*agent.endpoint, site, "r2", compose(source));
  CHECK(front.files_delta == 1);
  CHECK(front.files_whole == 0);
  CHECK(front.wire_in + front.wire_out < 200000);
  CHECK(front.bytes_saved > (31U << 20U));

  write(source / "large", inserted + content + inserted);
  const protocol::StageReport end = deploy(*agent.endpoint, site, "r3", compose(source));
  CHECK(end.wire_in + end.wire_out < 200000);
  CHECK(listing(source) == listing(site / "current/"));
}

TEST_CASE("hosts that have the same old version of a large file share its delta", "[stage]") {
  const base::TemporaryFolder folder;
  const fs::path source = folder.path() / "source";
  const LocalAgent agent;
  const std::string content = random_bytes(32U << 20U, 14);
  write(source / "large", content);
  for (const char* site : {"one", "two", "other"})
    agent->lock(lock_request(folder.path() / site));
  deploy(*agent.endpoint, folder.path() / "one", "r1", compose(source));
  deploy(*agent.endpoint, folder.path() / "two", "r1", compose(source));
  write(source / "large", random_bytes(1024, 15) + content);
  deploy(*agent.endpoint, folder.path() / "other", "r1", compose(source));

  write(source / "large", random_bytes(1024, 16) + content);
  const sync::Composed composed = compose(source);
  const std::string wanted = listing(source);
  NothingSmall store;
  agent->stage(stage_request(folder.path() / "one", "r2"), composed, {}, &store);
  // Nothing is there to make another one from.
  fs::remove(source / "large");
  const protocol::StageReport second =
      agent->stage(stage_request(folder.path() / "two", "r2"), composed, {}, &store);
  CHECK(second.files_delta == 1);
  CHECK(second.bytes_delta < 200000);
  CHECK(listing(folder.path() / "one/releases/r2") == wanted);
  CHECK(listing(folder.path() / "two/releases/r2") == wanted);
  // Its old version is another.
  CHECK_THROWS_AS(agent->stage(stage_request(folder.path() / "other", "r2"), composed, {}, &store),
                  base::Error);
}

TEST_CASE("large files of old releases become new ones, whatever was done to them", "[stage]") {
  const base::TemporaryFolder folder;
  const fs::path source = folder.path() / "source";
  const fs::path site = folder.path() / "site";
  const LocalAgent agent;
  agent->lock(lock_request(site));
  int number = 0;
  // The one before the live one goes with each, and what was before that is the next one's spare.
  const auto becomes = [&](const std::string& content, std::uint64_t most_sent) {
    const std::string id = "r" + std::to_string(++number);
    write(source / "large", content);
    const protocol::StageReport report = deploy(*agent.endpoint, site, id, compose(source));
    agent->commit(site.string(), id, 1, {});
    CAPTURE(number);
    CHECK(report.wire_out + report.wire_in < most_sent);
    CHECK(report.resent == 0);
    CHECK(listing(source) == listing(site / "current/"));
    CHECK_FALSE(agent->look({query(site)}).at(0).drifted());
  };
  constexpr std::uint64_t kLittle = 100'000;
  std::string content = random_bytes((9U << 20U) + 4321, 31);
  becomes(content, 20U << 20U);
  const auto change = [&](std::size_t at, std::size_t removed, std::size_t inserted) {
    content.replace(at, removed, random_bytes(inserted, static_cast<unsigned>(at)));
    becomes(content, kLittle);
  };
  change(5'000'000, 1000, 1000);
  change(100, 1000, 1000);
  change(8'000'000, 10, 10);
  // From here on there is a spare, which becomes the new release. Within one block old bytes are needed where
  // new ones have their place.
  const auto inode_of = [](const fs::path& file) {
    struct stat info {};
    REQUIRE(::stat(file.c_str(), &info) == 0);
    return info.st_ino;
  };
  const ino_t spare = inode_of(site / ".porter/spare/large");
  std::rotate(content.begin() + 3'000'000, content.begin() + 3'020'000, content.begin() + 3'050'000);
  becomes(content, kLittle);
  CHECK(inode_of(site / "current/large") == spare);
  change(0, 0, 777);
  change(0, 0, 777);
  change(0, 0, 777);
  change(content.size(), 0, 5000);
  change(0, 100'000, 0);
  change(3'000'000, 100, 150);
  change(64U << 10U, 64U << 10U, 64U << 10U);
  becomes(content = content.substr(5'000'000) + content.substr(0, 5'000'000), kLittle);
  becomes(content.substr(0, 4U << 20U), kLittle);
  becomes(content, 20U << 20U);
}

TEST_CASE("many large files with deltas and many small ones do not wait for each other", "[stage]") {
  const base::TemporaryFolder folder;
  const fs::path source = folder.path() / "source";
  const fs::path site = folder.path() / "site";
  const LocalAgent agent;
  agent->lock(lock_request(site));
  // Blocks that all differ make the signatures long: both directions are busy.
  for (int i = 0; i < 20; ++i)
    write(source / ("large" + std::to_string(i)), random_bytes(1500U << 10U, static_cast<unsigned>(i)));
  deploy(*agent.endpoint, site, "r1", compose(source));
  for (int i = 0; i < 20; ++i)
    write(source / ("large" + std::to_string(i)), random_bytes(1500U << 10U, static_cast<unsigned>(100 + i)));
  for (int i = 0; i < 500; ++i)
    write(source / "small" / std::to_string(i), random_bytes(20000, static_cast<unsigned>(i)));
  const protocol::StageReport report = deploy(*agent.endpoint, site, "r2", compose(source));
  CHECK(report.files_delta == 20);
  CHECK(report.files_whole == 500);
  CHECK(listing(source) == listing(site / "current/"));
}

TEST_CASE("content that the live release lost is noticed and sent again", "[stage]") {
  const Tree tree;
  const LocalAgent agent;
  agent->lock(lock_request(tree.site));
  deploy(*agent.endpoint, tree.site, "r1", compose(tree.source));
  write(tree.site / "releases/r1/dir5/file5", "tampered with");
  write(tree.site / "releases/r1/large", random_bytes(4U << 20U, 99));
  write(tree.source / "dir6/file6", "new");
  const sync::Composed composed = compose(tree.source);
  const protocol::SiteState state = agent->look({query(tree.site)}).at(0);
  CHECK(state.drift_changed == 2);
  const protocol::StageReport report = deploy(*agent.endpoint, tree.site, "r2", composed);
  CHECK(report.resent == 2);
  CHECK(listing(tree.source) == listing(tree.site / "current/"));
}

TEST_CASE("a delta against a file that drifted ends in the right content", "[stage]") {
  const Tree tree;
  const LocalAgent agent;
  agent->lock(lock_request(tree.site));
  deploy(*agent.endpoint, tree.site, "r1", compose(tree.source));
  const std::string content = read(tree.source / "large");
  write(tree.site / "releases/r1/large", content.substr(0, 1000) + "drift" + content.substr(1000));
  write(tree.source / "large", content + "more");
  deploy(*agent.endpoint, tree.site, "r2", compose(tree.source));
  CHECK(listing(tree.source) == listing(tree.site / "current/"));
}

TEST_CASE("a source that changes while it is sent fails the stage and nothing else", "[stage]") {
  const Tree tree;
  const LocalAgent agent;
  agent->lock(lock_request(tree.site));
  const sync::Composed composed = compose(tree.source);
  write(tree.source / "dir7/file7", "changed behind the composer's back");
  const std::string text = text_of([&] { agent->stage(stage_request(tree.site, "r1"), composed, {}); });
  CHECK(text.find("dir7/file7: is not what it was when the deploy began") != std::string::npos);
  CHECK_FALSE(fs::exists(tree.site / "releases/r1"));
  deploy(*agent.endpoint, tree.site, "r1", compose(tree.source));
  CHECK(listing(tree.source) == listing(tree.site / "current/"));
}

TEST_CASE("too many deletions stop before anything changes", "[stage]") {
  const Tree tree;
  const LocalAgent agent;
  agent->lock(lock_request(tree.site));
  deploy(*agent.endpoint, tree.site, "r1", compose(tree.source));
  for (int i = 0; i < 17; ++i)
    fs::remove_all(tree.source / ("dir" + std::to_string(i)));
  protocol::StageRequest request = stage_request(tree.site, "r2");
  request.max_delete_percent = 25;
  const std::string text = text_of([&] { agent->stage(request, compose(tree.source), {}); });
  CHECK(text.find("300 of 305 files would be deleted, max_delete allows 25%") != std::string::npos);
  CHECK_FALSE(fs::exists(tree.site / "releases/r2"));
  request.max_delete_percent = 100;
  CHECK(agent->stage(request, compose(tree.source), {}).files_deleted == 300);
}

TEST_CASE("a locked site shows its holder, and is free when the holder's connection ends", "[stage]") {
  const Tree tree;
  auto first = std::make_unique<LocalAgent>();
  const LocalAgent second;
  (*first)->lock(lock_request(tree.site));
  const std::string text = text_of([&] { second->lock(lock_request(tree.site)); });
  CHECK(text.find("locked by ada@laptop since 2026-01-02T03:04:05Z (deploy of web), run run1") !=
        std::string::npos);
  CHECK(code_of([&] { second->lock(lock_request(tree.site)); }) == base::Code::locked);
  (*first)->unlock(tree.site.string());
  second->lock(lock_request(tree.site));
  second->unlock(tree.site.string());
  (*first)->lock(lock_request(tree.site));
  first->endpoint->close();
  second->lock(lock_request(tree.site));
  CHECK(code_of([&] { (*first)->exists("/"); }) == base::Code::unreachable);
}

TEST_CASE("a connection that ends in the middle leaves no stage behind", "[stage]") {
  const Tree tree;
  {
    const LocalAgent agent;
    agent->lock(lock_request(tree.site));
    deploy(*agent.endpoint, tree.site, "r1", compose(tree.source));
    write(tree.source / "large", random_bytes(9U << 20U, 21));
    agent->stage(stage_request(tree.site, "r2"), compose(tree.source), {});
  }
  const LocalAgent again;
  again->lock(lock_request(tree.site));
  CHECK_FALSE(fs::exists(tree.site / "releases/r2"));
  CHECK(fs::read_symlink(tree.site / "current") == "releases/r1");
}

TEST_CASE("a release goes back by revert, and away by discard", "[stage]") {
  const Tree tree;
  const LocalAgent agent;
  agent->lock(lock_request(tree.site));
  deploy(*agent.endpoint, tree.site, "r1", compose(tree.source));
  write(tree.source / "dir3/file3", "changed");
  const sync::Composed composed = compose(tree.source);
  agent->stage(stage_request(tree.site, "r2"), composed, {});
  protocol::SealHeader header;
  header.release_id = "r2";
  agent->seal(tree.site.string(), header, protocol::Touched::maybe);
  agent->activate(tree.site.string(), "r2", "run1", protocol::Deletion::listed);
  CHECK(fs::read_symlink(tree.site / "current") == "releases/r2");
  agent->revert(tree.site.string(), "r2", "");
  CHECK(fs::read_symlink(tree.site / "current") == "releases/r1");
  agent->stage(stage_request(tree.site, "r3"), composed, {});
  agent->discard(tree.site.string(), "r3");
  CHECK_FALSE(fs::exists(tree.site / "releases/r3"));
  CHECK(agent->history(tree.site.string(), protocol::Layout::releases, 10).size() >= 1);
}

TEST_CASE("an inplace site gets the tree at its path", "[stage]") {
  const Tree tree;
  const LocalAgent agent;
  agent->lock(lock_request(tree.site, protocol::Layout::inplace));
  deploy(*agent.endpoint, tree.site, "r1", compose(tree.source));
  CHECK(listing(tree.source) == listing(tree.site));
  write(tree.source / "dir3/file3", "changed");
  fs::remove(tree.source / "dir4/file4");
  const std::string content = read(tree.source / "large");
  write(tree.source / "large", content + "more");
  const protocol::StageReport report = deploy(*agent.endpoint, tree.site, "r2", compose(tree.source));
  CHECK(report.files_whole == 1);
  CHECK(report.files_delta == 1);
  CHECK(listing(tree.source) == listing(tree.site));
  CHECK_FALSE(agent->look({query(tree.site, protocol::Layout::inplace)}).at(0).drifted());
}

TEST_CASE("staging needs the lock", "[stage]") {
  const Tree tree;
  const LocalAgent agent;
  CHECK(code_of([&] { agent->stage(stage_request(tree.site, "r1"), compose(tree.source), {}); }) ==
        base::Code::refused);
  CHECK(agent->exists("/"));
}

TEST_CASE("progress ends at its total", "[stage]") {
  const Tree tree;
  const LocalAgent agent;
  agent->lock(lock_request(tree.site));
  endpoint::Progress last;
  agent->stage(stage_request(tree.site, "r1"), compose(tree.source), [&](const endpoint::Progress& now) {
    CHECK(now.bytes_done >= last.bytes_done);
    last = now;
  });
  CHECK(last.bytes_done == last.bytes_total);
  CHECK(last.files_done == 304);
}
