// [module] generated, and [module] link.
#include "tests/support/catch.h"
#include "tests/unit/agent/site_fixture.h"

namespace porter::agent {
namespace {

using base::Code;
using base::TemporaryFolder;
using namespace testing;  // NOLINT

const Wants kOld = {{"app.py", file("print(1)\n")},
                    {"cache", folder()},
                    {"cache/index", file("empty\n")},
                    {"gone", file("x")}};
const Wants kNew = {{"app.py", file("print(2)\n")}};

sync::IgnoreRules generated() {
  sync::IgnoreRules rules;
  rules.add_all({"cache/", "*.pyc"}, "the test");
  return rules;
}

ino_t inode_of(const std::string& path) {
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_ino;
}

// A second release that differs in nothing, taken from the first in this way.
void deploy_again(Site& site, Take take) {
  Stage stage = site.begin_stage("r2", "run2", take);
  const std::size_t sent = fill(stage, kOld);
  CHECK(sent == 0);
  stage.seal({});
  site.activate("r2", "run2");
}

}  // namespace

TEST_CASE("what the running application generates does not drift") {
  const TemporaryFolder temporary;
  Site site = Site::open(temporary.path() / "site", Layout::releases);
  REQUIRE_FALSE(site.prepare(options()));
  deploy(site, "r1", kOld);
  base::write_file(site.live_path() + "/cache/index", "full");
  CHECK(site.look().drift.changed == 1);
  site.set_generated(generated());
  CHECK_FALSE(site.look().drift.any());
  base::write_file(site.live_path() + "/app.py", "edited");
  CHECK(site.look().drift.examples == std::vector<std::string>{"app.py"});
}

TEST_CASE("an inplace deploy deletes no generated file, even where it deletes unknown ones") {
  const TemporaryFolder temporary;
  Site site = Site::open(temporary.path() / "site", Layout::inplace);
  REQUIRE_FALSE(site.prepare(options()));
  deploy(site, "r1", kOld);
  base::write_file(site.path() + "/app.pyc", "compiled");
  base::write_file(site.path() + "/unknown", "somebody's");
  site.set_generated(generated());
  Stage stage = site.begin_stage("r2", "run2");
  fill(stage, kNew);
  stage.seal({});
  site.activate("r2", "run2", Unknown::remove);
  const Listing left = list_folder(site.path());
  CHECK(left.contains("app.pyc"));
  CHECK(left.contains("cache/index"));
  CHECK_FALSE(left.contains("unknown"));
  CHECK_FALSE(left.contains("gone"));
}

TEST_CASE("link = hard gives unchanged files a second name, and the others copy them") {
  const TemporaryFolder temporary;
  Site site = Site::open(temporary.path() / "site", Layout::releases);
  REQUIRE_FALSE(site.prepare(options()));
  deploy(site, "r1", kOld);
  const auto take = GENERATE(Take::automatic, Take::copy, Take::hard);
  deploy_again(site, take);
  const bool same =
      inode_of(site.path() + "/releases/r1/app.py") == inode_of(site.path() + "/releases/r2/app.py");
  CHECK(same == (take == Take::hard));
  CHECK(list_folder(site.path() + "/releases/r2") == listing_of(kOld));
  CHECK_FALSE(site.look().drift.any());
}

TEST_CASE("link = reflink shares blocks or says that the file system cannot") {
  const TemporaryFolder temporary;
  Site site = Site::open(temporary.path() / "site", Layout::releases);
  REQUIRE_FALSE(site.prepare(options()));
  deploy(site, "r1", kOld);
  try {
    deploy_again(site, Take::reflink);
    CHECK(list_folder(site.path() + "/releases/r2") == listing_of(kOld));
  } catch (const base::Error& error) {
    CHECK(error.code() == Code::refused);
    CHECK(error.hint_text().find("link = auto") != std::string::npos);
  }
}

}  // namespace porter::agent
