#include "core/source/git_source.h"

#include <sys/stat.h>

#include <cstdlib>
#include <future>

#include "tests/support/catch.h"
#include "tests/unit/source/test_repository.h"

using namespace porter;
using source::Checkout;
using source::RefKind;
using test::listing;
using test::SourceWorld;
using Names = std::vector<std::string>;

TEST_CASE("The default branch is deployed when no ref is chosen") {
  const SourceWorld world;
  const std::string id = world.repository.commit("file", "one");
  const Checkout checkout = world.checkout();
  CHECK(listing(checkout.tree) == Names{"file=one"});
  CHECK(checkout.commit == id);
  CHECK(checkout.version == id.substr(0, 8) + " (branch main)");
  CHECK(std::to_string(checkout.commit_time) == world.repository.git({"show", "-s", "--format=%ct", id}));
  CHECK(checkout.identity == Checkout::Identity::git_like);
  CHECK(checkout.is_private_copy);
}

TEST_CASE("A branch gives its newest commit at each deploy") {
  const SourceWorld world;
  world.repository.commit("old", "x");
  world.repository.git({"checkout", "-q", "-b", "release/0.1.2"});
  world.repository.commit("file", "one");
  CHECK(listing(world.checkout(RefKind::branch, "release/0.1.2").tree) == Names{"file=one", "old=x"});
  world.repository.git({"rm", "-q", "old"});
  const std::string id = world.repository.commit("file", "two");
  world.repository.git({"checkout", "-q", "main"});
  const Checkout second = world.checkout(RefKind::branch, "release/0.1.2");
  CHECK(listing(second.tree) == Names{"file=two"});
  CHECK(second.version == id.substr(0, 8) + " (branch release/0.1.2)");
}

TEST_CASE("A tag can be deployed twice, and again after its branch went on") {
  const SourceWorld world;
  const std::string id = world.repository.commit("file", "one");
  world.repository.git({"tag", "-a", "-m", "first", "v1"});
  CHECK(world.checkout(RefKind::tag, "v1").commit == id);
  CHECK(world.checkout(RefKind::tag, "v1").commit == id);
  world.repository.commit("file", "two");
  CHECK(listing(world.checkout(RefKind::branch, "main").tree) == Names{"file=two"});
  const Checkout again = world.checkout(RefKind::tag, "v1");
  CHECK(listing(again.tree) == Names{"file=one"});
  CHECK(again.version == id.substr(0, 8) + " (tag v1)");
}

TEST_CASE("A commit is deployed by its id or the beginning of it") {
  const SourceWorld world;
  const std::string id = world.repository.commit("file", "one");
  world.repository.commit("file", "two");
  CHECK(listing(world.checkout(RefKind::commit, id).tree) == Names{"file=one"});
  const Checkout shortened = world.checkout(RefKind::commit, id.substr(0, 7));
  CHECK(shortened.commit == id);
  CHECK(shortened.version == id.substr(0, 8));
}

TEST_CASE("Where a tag is asked for, a commit id does as well, and a tag of that name is stronger") {
  const SourceWorld world;
  const std::string id = world.repository.commit("file", "one");
  world.repository.commit("file", "two");
  CHECK(world.checkout(RefKind::tag, id).commit == id);
  CHECK(world.checkout(RefKind::tag, id.substr(0, 9)).commit == id);
  world.repository.git({"tag", id.substr(0, 9)});
  CHECK(listing(world.checkout(RefKind::tag, id.substr(0, 9)).tree) == Names{"file=two"});
  CHECK(test::error_of([&] { world.checkout(RefKind::tag, std::string(40, 'a')); }).code() ==
        base::Code::missing);
}

TEST_CASE("A commit that the cache has needs no remote") {
  const SourceWorld world;
  const std::string id = world.repository.commit("file", "one");
  world.checkout();
  std::filesystem::rename(world.repository.folder(), world.folder.path() / "gone");
  CHECK(listing(world.checkout(RefKind::commit, id).tree) == Names{"file=one"});
  CHECK(test::error_of([&] { world.checkout(RefKind::branch, "main"); }).code() == base::Code::source);
}

TEST_CASE("A commit that only a deleted branch led to is still found") {
  const SourceWorld world;
  world.repository.commit("file", "one");
  world.repository.git({"checkout", "-q", "-b", "side"});
  const std::string id = world.repository.commit("file", "side");
  world.repository.git({"checkout", "-q", "main"});
  world.repository.git({"branch", "-D", "side"});
  CHECK(listing(world.checkout(RefKind::commit, id).tree) == Names{"file=side"});
}

TEST_CASE("A force-pushed branch and a moved tag give what they are now") {
  const SourceWorld world;
  world.repository.commit("file", "one");
  world.repository.commit("file", "two");
  world.repository.git({"tag", "v1"});
  world.checkout(RefKind::tag, "v1");
  world.repository.git({"reset", "-q", "--hard", "HEAD~1"});
  world.repository.commit("other", "three");
  world.repository.git({"tag", "-f", "v1"});
  CHECK(listing(world.checkout(RefKind::branch, "main").tree) == Names{"file=one", "other=three"});
  CHECK(listing(world.checkout(RefKind::tag, "v1").tree) == Names{"file=one", "other=three"});
}

TEST_CASE("A branch may take the place of a folder of branches") {
  const SourceWorld world;
  world.repository.commit("file", "one");
  world.repository.git({"branch", "topic/a"});
  world.checkout(RefKind::branch, "topic/a");
  world.repository.git({"branch", "-D", "topic/a"});
  world.repository.git({"checkout", "-q", "-b", "topic"});
  world.repository.commit("file", "two");
  CHECK(listing(world.checkout(RefKind::branch, "topic").tree) == Names{"file=two"});
}

TEST_CASE("What was pinned is what is checked out") {
  const SourceWorld world;
  const std::string id = world.repository.commit("file", "one");
  const auto source = source::make_source(world.request(RefKind::branch, "main"));
  CHECK(source->pin({}) == id);
  world.repository.commit("file", "two");
  CHECK(listing(source->checkout({}).tree) == Names{"file=one"});
}

TEST_CASE("An unknown ref is an error that lists the known ones and names the nearest") {
  const SourceWorld world;
  world.repository.commit("file", "one");
  world.repository.git({"branch", "release"});
  world.repository.git({"tag", "v1.0"});
  const base::Error branch = test::error_of([&] { world.checkout(RefKind::branch, "relaese"); });
  CHECK(branch.code() == base::Code::missing);
  CHECK(branch.message() == world.repository.folder().string() + ": there is no branch \"relaese\"");
  CHECK(branch.hint_text() == "did you mean \"release\"?\nbranches: main, release\ntags: v1.0");
  CHECK(test::error_of([&] { world.checkout(RefKind::tag, "v1.1"); }).hint_text().find("\"v1.0\"") !=
        std::string::npos);
  const base::Error commit = test::error_of([&] { world.checkout(RefKind::commit, std::string(40, 'a')); });
  CHECK(commit.code() == base::Code::missing);
  CHECK(commit.hint_text() == "branches: main, release\ntags: v1.0");
}

TEST_CASE("A repository without commits says that it has none") {
  const SourceWorld world;
  CHECK(test::error_of([&] { world.checkout(); }).code() == base::Code::missing);
  CHECK(test::error_of([&] { world.checkout(RefKind::commit, "1234567"); }).code() == base::Code::missing);
}

TEST_CASE("A remote that cannot be read gives git's own words and the command to try") {
  const SourceWorld world;
  source::SourceRequest request = world.request();
  request.url = "git+file://" + (world.folder.path() / "nowhere").string();
  const base::Error error = test::error_of([&] { source::make_source(request)->pin({}); });
  CHECK(error.code() == base::Code::source);
  CHECK(error.message().find("does not appear to be a git repository") != std::string::npos);
  CHECK(error.hint_text().starts_with("see whether this works: git ls-remote "));
}

TEST_CASE("Refs and urls with shell syntax do nothing but fail") {
  const SourceWorld world;
  world.repository.commit("file", "one");
  const std::string mark = (world.folder.path() / "mark").string();
  for (const std::string& text :
       {"$(touch " + mark + ")", ";touch " + mark, "`touch " + mark + "`", "main && touch " + mark}) {
    CHECK(test::error_of([&] { world.checkout(RefKind::branch, text); }).code() == base::Code::missing);
    source::SourceRequest request = world.request();
    request.url = "git+file://" + (world.folder.path() / "x").string() + text;
    CHECK(test::error_of([&] { source::make_source(request)->checkout({}); }).code() == base::Code::source);
  }
  for (const char* text : {"--upload-pack=x", "-x", "", "a\nb"}) {
    CHECK(test::error_of([&] { world.checkout(RefKind::branch, text); }).code() == base::Code::bad_value);
  }
  CHECK(test::error_of([&] { world.checkout(RefKind::commit, "main~1"); }).code() == base::Code::bad_value);
  CHECK_FALSE(std::filesystem::exists(mark));
}

TEST_CASE("A repository and a ref may have shell syntax and odd bytes in their names") {
  const SourceWorld world;
  const std::string folder = (world.folder.path() / "it's; $(a) \"b\" \xff").string();
  const test::TestRepository odd(folder);
  odd.commit("file", "one");
  odd.git({"checkout", "-q", "-b", "a$(b)'c\xfe"});
  odd.commit("file", "two");
  source::SourceRequest request = world.request(RefKind::branch, "a$(b)'c\xfe");
  request.url = odd.url();
  const Checkout checkout = source::make_source(request)->checkout({});
  CHECK(listing(checkout.tree) == Names{"file=two"});
  CHECK(checkout.version.ends_with(" (branch a$(b)'c\\xfe)"));
}

TEST_CASE("Odd file names, symlinks and modes arrive, and no .git lies in the tree") {
  const SourceWorld world;
  for (const char* name : {"new\nline", "-rf", "with space", "\xff\xfe", "folder/-n"})
    world.repository.write(name, "x");
  std::filesystem::create_symlink("nowhere/at all", world.repository.folder() / "link");
  std::filesystem::permissions(world.repository.folder() / "-rf", std::filesystem::perms(0755));
  world.repository.commit_all();
  const Checkout checkout = world.checkout();
  CHECK(listing(checkout.tree) == Names{"-rf=x", "folder/", "folder/-n=x", "link->nowhere/at all",
                                        "new\nline=x", "with space=x", "\xff\xfe=x"});
  CHECK_FALSE(std::filesystem::exists(checkout.tree / ".git"));
  struct stat status {};
  REQUIRE(::stat((checkout.tree / "-rf").c_str(), &status) == 0);
  CHECK((status.st_mode & 0100) != 0);
}

TEST_CASE("Whatever a run left in the tree is gone at the next one") {
  const SourceWorld world;
  world.repository.write(".gitignore", "*.o\n");
  world.repository.commit("file", "one");
  std::filesystem::path tree;
  {
    const Checkout first = world.checkout();
    tree = first.tree;
    base::write_file(tree / "file", "changed");
    base::write_file(tree / "made.o", "x");
    test::TestRepository nested(tree / "nested");
    nested.commit("a", "b");
    std::filesystem::remove(tree / ".gitignore");
  }
  const Checkout second = world.checkout();
  CHECK(second.tree == tree);
  CHECK(listing(second.tree) == Names{".gitignore=*.o\n", "file=one"});
}

TEST_CASE("An unchanged file keeps its time from run to run") {
  const SourceWorld world;
  world.repository.commit("same", "x");
  const auto first = std::filesystem::last_write_time(world.checkout().tree / "same");
  world.repository.commit("file", "two");
  CHECK(std::filesystem::last_write_time(world.checkout().tree / "same") == first);
}

TEST_CASE("Two modules with one url and different refs stand side by side") {
  const SourceWorld world;
  world.repository.commit("file", "one");
  world.repository.git({"tag", "v1"});
  world.repository.commit("file", "two");
  const Checkout a = world.checkout(RefKind::tag, "v1", "a");
  const Checkout b = world.checkout(RefKind::branch, "main", "b");
  CHECK(listing(a.tree) == Names{"file=one"});
  CHECK(listing(b.tree) == Names{"file=two"});
  const auto bare = std::filesystem::directory_iterator(world.cache() / "git");
  CHECK(std::distance(begin(bare), end(bare)) == 1);
}

TEST_CASE("Two runs of one module at once get trees of their own") {
  const SourceWorld world;
  world.repository.commit("file", "one");
  world.repository.git({"tag", "v1"});
  world.repository.commit("file", "two");
  const auto run = [&](RefKind kind, const char* ref) { return world.checkout(kind, ref); };
  std::vector<std::future<Checkout>> runs;
  for (int i = 0; i < 4; ++i) {
    runs.push_back(std::async(std::launch::async, run, RefKind::tag, "v1"));
    runs.push_back(std::async(std::launch::async, run, RefKind::branch, "main"));
  }
  std::vector<Checkout> held;
  for (auto& each : runs)
    held.push_back(each.get());
  for (std::size_t i = 0; i < held.size(); ++i) {
    CHECK(listing(held[i].tree) == Names{i % 2 == 0 ? "file=one" : "file=two"});
  }
}

TEST_CASE("The caller's git environment does not reach into the cache") {
  const SourceWorld world;
  world.repository.commit("file", "one");
  const test::TestRepository other(world.folder.path() / "other");
  other.commit("other", "x");
  const std::string before = other.git({"status", "--porcelain"});
  ::setenv("GIT_DIR", (other.folder() / ".git").c_str(), 1);
  ::setenv("GIT_WORK_TREE", other.folder().c_str(), 1);
  ::setenv("GIT_INDEX_FILE", (other.folder() / "index").c_str(), 1);
  const Checkout checkout = world.checkout();
  ::unsetenv("GIT_DIR");
  ::unsetenv("GIT_WORK_TREE");
  ::unsetenv("GIT_INDEX_FILE");
  CHECK(listing(checkout.tree) == Names{"file=one"});
  CHECK(other.git({"status", "--porcelain"}) == before);
}

TEST_CASE("Hooks never run") {
  const SourceWorld world;
  world.repository.commit("file", "one");
  const std::filesystem::path mark = world.folder.path() / "mark";
  world.checkout();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(world.cache())) {
    if (entry.path().filename() != "HEAD") continue;
    const std::filesystem::path hooks = entry.path().parent_path() / "hooks";
    std::filesystem::create_directories(hooks);
    base::write_file(hooks / "post-checkout", "#!/bin/sh\ntouch '" + mark.string() + "'\n", 0755);
  }
  world.repository.commit("file", "two");
  CHECK(listing(world.checkout().tree) == Names{"file=two"});
  CHECK_FALSE(std::filesystem::exists(mark));
}

TEST_CASE("A cancelled checkout is an interruption, and the next one works") {
  const SourceWorld world;
  world.repository.commit("file", "one");
  const base::CancelToken cancel;
  cancel.cancel();
  CHECK_THROWS_AS(source::make_source(world.request())->checkout(cancel), base::Interrupted);
  CHECK(listing(world.checkout().tree) == Names{"file=one"});
}

TEST_CASE("A repository of SHA-256 objects works too") {
  const SourceWorld world;
  const std::filesystem::path folder = world.folder.path() / "sha256";
  std::filesystem::create_directories(folder);
  const test::TestRepository starter(world.folder.path() / "starter");
  starter.git({"init", "-q", "--object-format=sha256", "--initial-branch=main", folder.string()});
  const test::TestRepository repository(folder);
  const std::string id = repository.commit("file", "one");
  REQUIRE(id.size() == 64);
  source::SourceRequest request = world.request();
  request.url = repository.url();
  CHECK(listing(source::make_source(request)->checkout({}).tree) == Names{"file=one"});
}
