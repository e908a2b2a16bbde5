#include "core/engine/composition.h"

#include "core/base/files.h"
#include "core/engine/live_module.h"
#include "core/engine/show_plan.h"
#include "tests/support/error_of.h"
#include "tests/support/fake_endpoint.h"
#include "tests/unit/settings/fixture.h"

using namespace porter;
using namespace porter::engine;
using Names = std::vector<std::string>;

namespace {

// The module root of a project, with a plain folder as its source, on the host one.
struct Shop : settings::test::ProjectFixture {
  Shop() {
    write("project.ini",
          "[project]\nname = Shop\ndepends = root\n[hosts]\none = local:\ntwo = local:\n"
          "[config:testing]\nhosts = one, two\n");
    ini("");
    write("root/src/page.html", "hello\n");
    write("root/src/var/uploads/seed.png", "png");
    write("root/src/.env", "A=1\n");
  }
  void ini(const std::string& more) { write("root/root.ini", "[module]\npath = /srv/root\n" + more); }

  // Everything of a deployment that needs no connection. Valid as long as the shop.
  Deployment& deployment(const std::string& host = "one", const std::string& config = "testing") {
    projects.push_back(std::make_unique<settings::Project>(load()));
    const settings::Project& project = *projects.back();
    modules.push_back(std::make_unique<ModuleRun>());
    ModuleRun& module = *modules.back();
    module.module = project.find_module("root");
    module.checkout.tree = root() / "root" / "src";
    made.push_back(std::make_unique<Deployment>());
    Deployment& deployment = *made.back();
    deployment.module = &module;
    deployment.release_id = "20261121T070509Z-1a2b3c4d-1f2e";
    deployment.settings = project.settings_for(*module.module, *project.find_host(host), config);
    const auto composition = compositions.compose(module.checkout, *deployment.settings, {});
    deployment.composed = {composition, &composition->tree};
    deployment.source_root = deployment.composed->tree.root_digest();
    deployment.seeds = composition->seeds;
    return deployment;
  }
  void touch_walks() { compositions = Compositions(); }

  Compositions compositions;
  std::vector<std::unique_ptr<settings::Project>> projects;
  std::vector<std::unique_ptr<ModuleRun>> modules;
  std::vector<std::unique_ptr<Deployment>> made;
};

bool has(const Deployment& deployment, const std::string& path) {
  return deployment.composed->tree.find(path) != nullptr;
}

std::vector<std::string> shared_of(Shop& shop) {
  return stage_request(shop.deployment(), Request()).shared;
}

}  // namespace

TEST_CASE("the skip key stays the same while nothing changes") {
  Shop shop;
  const std::string key = skip_key(shop.deployment(), "testing");
  shop.touch_walks();
  CHECK(skip_key(shop.deployment(), "testing") == key);
  SECTION("also for another release of the same") {
    Deployment& other = shop.deployment();
    other.release_id = "20261122T070509Z-1a2b3c4d-0000";
    other.before.current = "something";
    other.module->forced = true;
    CHECK(skip_key(other, "testing") == key);
  }
}

TEST_CASE("the skip key changes with each of its parts") {
  Shop shop;
  const std::string key = skip_key(shop.deployment(), "testing");
  SECTION("content") {
    shop.write("root/src/page.html", "good bye\n");
  }
  SECTION("a new file") {
    shop.write("root/src/new.html", "");
  }
  SECTION("a setting that no file of the tree depends on") {
    shop.ini("keep_releases = 9\n");
  }
  shop.touch_walks();
  Deployment& changed = shop.deployment();
  SECTION("config") {
    CHECK(skip_key(changed, "production") != key);
    return;
  }
  SECTION("handlers") {
    changed.module->handlers_key = "acme.audit 1.0 1234\n";
  }
  CHECK(skip_key(changed, "testing") != key);
}

TEST_CASE("parts of the skip key do not run into each other") {
  Shop shop;
  Deployment& deployment = shop.deployment();
  deployment.module->handlers_key = "b";
  const std::string one = skip_key(deployment, "a");
  deployment.module->handlers_key = "";
  CHECK(skip_key(deployment, "ab") != one);
}

TEST_CASE("config files lie over the source, with their own mode") {
  Shop shop;
  shop.ini("[config_files]\npage.html = page.html\nconf/extra.py = extra.py\nmaybe.py? = maybe.py\n");
  shop.write("root/config/testing/page.html", "of testing\n");
  shop.write("root/config/testing/extra.py", "X = 1\n");
  std::filesystem::permissions(shop.root() / "root/config/testing/extra.py", std::filesystem::perms(0600));
  SECTION("an optional one may be absent") {
    const Deployment& deployment = shop.deployment();
    const sync::Entry* page = deployment.composed->tree.find("page.html");
    REQUIRE(page != nullptr);
    CHECK(page->digest == base::sha256("of testing\n"));
    REQUIRE(has(deployment, "conf/extra.py"));
    CHECK(deployment.composed->tree.find("conf/extra.py")->mode == 0600);
    CHECK_FALSE(has(deployment, "maybe.py"));
  }
  SECTION("an optional one that is there is taken") {
    shop.write("root/config/testing/maybe.py", "");
    CHECK(has(shop.deployment(), "maybe.py"));
  }
}

TEST_CASE("without a config no config file is taken, whatever lies where the user stands") {
  Shop shop;
  shop.ini("[config_files]\nmaybe.py? = maybe.py\n");
  shop.write("maybe.py", "A = 1\n");
  const std::filesystem::path stands = std::filesystem::current_path();
  std::filesystem::current_path(shop.root());
  const bool taken = has(shop.deployment("one", ""), "maybe.py");
  std::filesystem::current_path(stands);
  CHECK_FALSE(taken);
}

TEST_CASE("in releases a shared path becomes a link, and what the source has there seeds it") {
  Shop shop;
  shop.ini("[shared]\npaths = var/uploads, .env, log\n");
  const Deployment& deployment = shop.deployment();
  const sync::Entry* uploads = deployment.composed->tree.find("var/uploads");
  REQUIRE(uploads != nullptr);
  CHECK(uploads->kind == sync::Kind::link);
  CHECK(uploads->target == "../../../shared/var/uploads");
  CHECK_FALSE(has(deployment, "var/uploads/seed.png"));
  CHECK(has(deployment, "log"));
  CHECK(deployment.seeds == Names{"var/uploads", ".env"});
}

TEST_CASE("in place a shared path is left alone: not sent, not deleted, no drift") {
  Shop shop;
  shop.ini("layout = inplace\n[shared]\npaths = var/uploads/, .env\n");
  Deployment& deployment = shop.deployment();
  CHECK(has(deployment, "page.html"));
  CHECK_FALSE(has(deployment, "var/uploads"));
  CHECK_FALSE(has(deployment, ".env"));
  CHECK(deployment.seeds.empty());
  CHECK(site_query(deployment).generated == Names{"/var/uploads", "/.env"});
  CHECK(stage_request(deployment, Request()).generated == Names{"/var/uploads", "/.env"});
}

TEST_CASE("in place each host has its own shared paths, though the source is the same") {
  Shop shop;
  shop.ini("layout = inplace\n[shared]\npaths-one = page.html\npaths-two = .env\n");
  const Deployment& one = shop.deployment("one");
  const Deployment& two = shop.deployment("two");
  CHECK_FALSE(has(one, "page.html"));
  CHECK(has(one, ".env"));
  CHECK(has(two, "page.html"));
  CHECK_FALSE(has(two, ".env"));
}

TEST_CASE("whether a shared path is a folder follows from source, slash and name, in this order") {
  Shop shop;
  SECTION("what the source has is taken for what it is: it seeds the path") {
    shop.ini("[shared]\npaths = var/uploads, .env, page.html/\n");
    CHECK(shared_of(shop) == Names{"var/uploads", ".env", "page.html"});
  }
  SECTION("without it, a slash at the end says folder") {
    shop.ini("[shared]\npaths = data.d/\n");
    CHECK(shared_of(shop) == Names{"data.d/"});
  }
  SECTION("else a dot in the last name says file") {
    shop.ini("[shared]\npaths = app.db, etc.d/cache, .secret\n");
    CHECK(shared_of(shop) == Names{"app.db", "etc.d/cache/", ".secret"});
  }
}

TEST_CASE("what must not be sent is not composed") {
  Shop shop;
  shop.ini("exclude = *.png\n");
  shop.write("root/src/.porterignore", "page.html\n");
  shop.write("root/src/.git/HEAD", "ref");
  const Deployment& deployment = shop.deployment();
  CHECK_FALSE(has(deployment, "var/uploads/seed.png"));
  CHECK_FALSE(has(deployment, "page.html"));
  CHECK_FALSE(has(deployment, ".git"));
  CHECK(has(deployment, ".env"));
}

TEST_CASE("a source without files composes an empty tree, with the config files on top") {
  Shop shop;
  shop.ini("[config_files]\nlocal.py = local.py\n");
  shop.write("root/config/testing/local.py", "X = 1\n");
  Deployment& deployment = shop.deployment();
  deployment.module->checkout.tree.clear();
  const auto composition = shop.compositions.compose(deployment.module->checkout, *deployment.settings, {});
  CHECK(composition->tree.tree.file_count() == 1);
  CHECK(composition->tree.tree.find("local.py") != nullptr);
  CHECK(compose_nothing().tree.file_count() == 0);
}

TEST_CASE("a source is walked once, and again when it is said to have changed") {
  Shop shop;
  Deployment& deployment = shop.deployment();
  const source::Checkout& checkout = deployment.module->checkout;
  const auto files = [&] {
    return shop.compositions.compose(checkout, *deployment.settings, {})->tree.tree.file_count();
  };
  CHECK(files() == 3);
  shop.write("root/src/built.js", "");
  CHECK(files() == 3);
  shop.compositions.forget(checkout);
  CHECK(files() == 4);
}

TEST_CASE("the stage request carries the limits of the module") {
  Shop shop;
  const auto request = [&] {
    Request from;
    from.run_id = "20261121T070509Z-1f2e";
    return stage_request(shop.deployment(), from);
  };
  SECTION("a percentage") {
    shop.ini("max_delete = 25%\nlink = hard\ngenerated = *.pyc\n");
    CHECK(request().max_delete_percent == 25);
    CHECK(request().max_delete == protocol::StageRequest::kNoLimit);
    CHECK(request().link == protocol::LinkMode::hard);
    CHECK(request().generated == Names{"*.pyc"});
    CHECK(request().site == "/srv/root");
    CHECK(request().release_id == "20261121T070509Z-1a2b3c4d-1f2e");
    CHECK(request().run_id == "20261121T070509Z-1f2e");
  }
  SECTION("a count") {
    shop.ini("max_delete = 7\n");
    CHECK(request().max_delete == 7);
    CHECK(request().max_delete_percent == 100);
  }
}

namespace {

// Answers compare() as a host that holds `base`.
sync::Tree base_tree(const Deployment& deployment) {
  sync::Tree base = deployment.composed->tree;
  base.folders.front().entries.clear();
  base.folders.resize(1);
  sync::Entry gone;
  gone.name = "gone.txt";
  gone.digest = base::sha256("gone");
  gone.size = 4;
  sync::Entry page = *deployment.composed->tree.find("page.html");
  page.digest = base::sha256("older\n");
  base.folders.front().entries = {gone, page};
  base.seal_digests();
  return base;
}

}  // namespace

TEST_CASE("a plan shows deletions, then changes, then what is new") {
  Shop shop;
  shop.ini("[shared]\npaths = log\n");
  Deployment& deployment = shop.deployment();
  tests::FakeHosts hosts;
  HostRun host;
  host.host.name = "one";
  host.endpoint = std::make_unique<tests::FakeEndpoint>(hosts, "one", base::CancelToken());
  deployment.host = &host;
  SECTION("against what is live") {
    hosts.change("one", "/srv/root",
                 [&](tests::FakeHosts::Site& site) { site.tree = base_tree(deployment); });
    const event::Planned plan = plan_files(deployment);
    CHECK(plan.paths == Names{"- gone.txt", "~ page.html", "+ .env", "+ var/uploads/seed.png", "+ log"});
    CHECK(plan.files_deleted == 1);
    CHECK(plan.files_changed == 1);
    CHECK(plan.files_new == 3);
    CHECK(plan.bytes_to_send == 6 + 4 + 3);
    CHECK_FALSE(plan.unchanged);
  }
  SECTION("nobody is asked about what is unchanged") {
    deployment.state = State::unchanged;
    CHECK(plan_files(deployment).unchanged);
    CHECK(hosts.steps().empty());
  }
}
