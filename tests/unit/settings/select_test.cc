#include "core/settings/select.h"

#include "tests/unit/settings/fixture.h"

using namespace porter::settings;
using namespace porter::settings::test;

namespace {

Project web_project() {
  ProjectFixture shop;
  shop.write(
      "project.ini",
      "[project]\ndepends = root, other\n[hosts]\ntesting = t\nproduction = web[01:04].example.org\ndb = d\n"
      "[host:web01]\ntags = canary\n[host:testing]\ntags = canary\n[config:staging]\nhosts = testing, "
      "db\n[config:bare]\n");
  shop.write("root/root.ini",
             "[module]\npath = /r\ndepends = lib\n[release:stable]\nbranch = b\n[release:next]\ntag = n\n");
  shop.write("lib/lib.ini", "[module]\npath = /l\n");
  shop.write("other/other.ini", "[module]\npath = /o\n");
  shop.write("lib/config/special/x", "");
  return shop.load();
}

Names select(const Project& project, const Names& patterns, const std::string& config = "") {
  return names(select_hosts(project, patterns, config));
}

}  // namespace

TEST_CASE("hosts are chosen by name, address, group, glob, range, tag and negation", "[select]") {
  const Project project = web_project();
  CHECK(select(project, {"db"}) == Names{"db"});
  CHECK(select(project, {"web02.example.org"}) == Names{"web02"});
  CHECK(select(project, {"production"}) == Names{"web01", "web02", "web03", "web04"});
  CHECK(select(project, {"web0[34]"}) == Names{"web03", "web04"});
  CHECK(select(project, {"web[02:03]"}) == Names{"web02", "web03"});
  CHECK(select(project, {"web*,db"}) == Names{"web01", "web02", "web03", "web04", "db"});
  CHECK(select(project, {"@canary"}) == Names{"testing", "web01"});
  CHECK(select(project, {"production", "!@canary"}) == Names{"web02", "web03", "web04"});
  CHECK(select(project, {"!production"}) == Names{"testing", "db"});
  CHECK(select(project, {"db", "testing", "db"}) == Names{"testing", "db"});
}

TEST_CASE("a pattern that matches nothing is an error, never an empty run", "[select]") {
  const Project project = web_project();
  CHECK(error_of([&] { select(project, {"tseting"}); }) ==
        ":0: \"tseting\" matches no host | did you mean \"testing\"?");
  CHECK(error_of([&] { select(project, {"db", "!bd"}); }).find("did you mean") != std::string::npos);
  CHECK(error_of([&] { select(project, {"db", "!db"}); }).find("leaves no host") != std::string::npos);
  CHECK(error_of([&] { select(project, {"@canry"}); }).find("@canary") != std::string::npos);
  for (const char* bad : {"", "!", "@", "web[05:06]", "*q*"}) {
    CAPTURE(bad);
    CHECK_FALSE(error_of([&] { select(project, {bad}); }).empty());
  }
}

TEST_CASE("without --host the config decides", "[select]") {
  const Project project = web_project();
  CHECK(select(project, {}, "staging") == Names{"testing", "db"});
  CHECK(select(project, {}, "testing") == Names{"testing"});
  CHECK(select(project, {}, "production").size() == 4);
  CHECK(select(project, {"db"}, "staging") == Names{"db"});
  const std::string open = error_of([&] { select(project, {}, "special"); });
  CHECK(open.find("testing, web01, web02, web03, web04, db, production") != std::string::npos);
  CHECK(open.find("bare, db, production, special, staging") != std::string::npos);
  CHECK(error_of([&] { select(project, {}, ""); }).find("no host and no config was chosen") !=
        std::string::npos);
  CHECK(error_of([&] { select(project, {}, "stagin"); }).find("did you mean \"staging\"?") !=
        std::string::npos);
}

TEST_CASE("the only host is meant when the config exists", "[select]") {
  ProjectFixture shop;
  shop.write("project.ini", "[project]\n[hosts]\nbox = local:\n[config:any]\n");
  const Project project = shop.load();
  CHECK(select(project, {}, "any") == Names{"box"});
  CHECK_FALSE(error_of([&] { select(project, {}, "other"); }).empty());
  CHECK_FALSE(error_of([&] { select(project, {}, ""); }).empty());
}

TEST_CASE("a config is a section, a host, a group or a module's folder", "[select]") {
  const Project project = web_project();
  for (const char* good : {"staging", "bare", "db", "production", "special"}) {
    CHECK(error_of([&] { check_config(project, good); }).empty());
  }
  CHECK(error_of([&] { check_config(project, "produktion"); }) ==
        ":0: config \"produktion\" does not exist | did you mean \"production\"?");
}

TEST_CASE("modules are chosen by exact name, with or without what they depend on", "[select]") {
  const Project project = web_project();
  CHECK(names(select_modules(project, {}, WithDependencies::no)) == Names{"lib", "root", "other"});
  CHECK(names(select_modules(project, {"root"}, WithDependencies::yes)) == Names{"lib", "root"});
  CHECK(names(select_modules(project, {"root"}, WithDependencies::no)) == Names{"root"});
  CHECK(error_of([&] {
          select_modules(project, {"rot"}, WithDependencies::no);
        }).find("did you mean \"root\"?") != std::string::npos);
}

TEST_CASE("an unknown release is an error that lists the known ones", "[select]") {
  const Project project = web_project();
  const Module& root = *project.find_module("root");
  CHECK(choose_ref(root, "next").value == "n");
  CHECK(error_of([&] {
          choose_ref(root, "1.0");
        }).find("module \"root\" has no release \"1.0\"; it has: stable, next") != std::string::npos);
  CHECK(choose_ref(*project.find_module("lib"), "stable").kind == RefKind::implied);
}
