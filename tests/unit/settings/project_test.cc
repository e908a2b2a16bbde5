#include "core/settings/project.h"

#include <fmt/format.h>

#include <random>

#include "tests/unit/settings/fixture.h"

using namespace porter::settings;
using namespace porter::settings::test;

namespace {

constexpr const char* module_ini = "[module]\npath = /srv/x\n";

std::optional<PluginSchema> crontab(const std::string& plugin) {
  if (plugin != "porter.plugins.crontab") return std::nullopt;
  return PluginSchema{plugin,
                      {{"file", Type::text, "web.crontab", "The crontab."},
                       {"use_sudo", Type::boolean, "no", "By sudo."},
                       {"send-data-url", Type::url, "", "Where to."},
                       {"send", Type::text, "", "A shorter name."},
                       {"token", Type::secret, "", "Key."}}};
}

}  // namespace

TEST_CASE("the project's own example loads", "[project]") {
  ProjectFixture shop;
  shop.write("project.ini",
             "; head\n[project]\nname = My great project!\ndepends = root\n[hosts]\n"
             "testing    = deploy@testing-host.tld:2222\n"
             "production = deploy@web[01:20].example.org      ; a group\n"
             "laptop     = local:\n[host:testing]\ntags = canary\nvars.Workers = 4\n[config:testing]\nhosts "
             "= testing\n"
             "[config:production]\nhosts = production\nconfirm = yes\n[modules]\nmodule1 = workers/module1\n"
             "[plugins]\npath = plugins\n");
  shop.write(
      "root/root.ini",
      "[module]\npath = /srv/apps/root/\npath-laptop = out/root\ndepends = module1\nlayout = "
      "releases\nkeep_releases = 3\n"
      "exclude = *.log\nmax_delete = 25%\nbuild = ./build.sh 'a b'\n[scm]\nurl = git://git@host:repo.git\n"
      "[release:stable]\nbranch = release/0.1.2\n[config_files]\nlocal_settings.py = "
      "settings/local_settings.py\n"
      "Debug.ini? =\n[shared]\npaths = var/uploads, .env\n[plugin:porter.plugins.crontab]\nfile = "
      "web.crontab\n");
  shop.write("workers/module1/module1.ini", module_ini);
  const Project project = shop.load(crontab);
  CHECK(project.name == "My great project!");
  CHECK(project.id == "my-great-project");
  CHECK(names(project.modules) == Names{"module1", "root"});
  CHECK(project.modules[0].folder == shop.root() / "workers/module1");
  CHECK(project.hosts.size() == 22);
  CHECK(project.hosts[0].tags == Names{"canary"});
  CHECK(project.hosts[0].vars.at("Workers") == "4");
  CHECK(project.hosts[1].name == "web01");
  CHECK(project.hosts[1].address == "web01.example.org");
  CHECK(project.hosts[1].groups == Names{"production"});
  CHECK(project.hosts[21].local);
  CHECK(project.groups[0].hosts.size() == 20);
  CHECK(project.find_config("production")->confirm);
  CHECK(project.plugin_folders == std::vector{shop.root() / "plugins"});
  CHECK(project.plugins == Names{"porter.plugins.crontab"});

  const Module& root = *project.find_module("root");
  CHECK(root.refs[0].kind == RefKind::branch);
  CHECK(root.refs[0].value == "release/0.1.2");
  const ModuleSettings settings = project.settings_for(root, project.hosts[0], "testing");
  CHECK(settings.path() == "/srv/apps/root");
  CHECK(settings.layout() == Layout::releases);
  CHECK(settings.keep_releases() == 3);
  CHECK(settings.exclude() == Names{"*.log"});
  CHECK(settings.max_delete() == Limit{Limit::Kind::percent, 25});
  CHECK(settings.build() == Names{"./build.sh", "a b"});
  CHECK(settings.shared_paths() == Names{"var/uploads", ".env"});
  REQUIRE(settings.config_files().size() == 2);
  CHECK(settings.config_files()[1].destination == "Debug.ini");
  CHECK(settings.config_files()[1].source == "Debug.ini");
  CHECK(settings.config_files()[1].optional);
  CHECK(project.settings_for(root, *project.find_host("laptop"), "").path() ==
        (shop.root() / "out/root").string());
}

TEST_CASE("what is not said has its default", "[project]") {
  ProjectFixture shop;
  shop.write("project.ini", "[project]\ndepends = a\n[hosts]\nh = x\n");
  shop.write("a/a.ini", "[module]\npath = /srv/a\n");
  const Project project = shop.load();
  CHECK(project.name == "shop");
  const ModuleSettings settings = project.settings_for(project.modules[0], project.hosts[0], "");
  CHECK(settings.keep_releases() == 5);
  CHECK(settings.layout() == Layout::releases);
  CHECK(settings.max_delete().kind == Limit::Kind::none);
  CHECK(settings.link() == LinkMode::automatic);
  CHECK(settings.durability() == Durability::full);
  CHECK(settings.deletion() == Deletion::listed);
  CHECK(settings.build().empty());
  CHECK(settings.become().empty());
  CHECK(project.modules[0].scm_url.empty());
  CHECK(settings.effective().at("module").at("keep_releases") == "5");
  CHECK_FALSE(settings.get("module", "become").has_value());
}

TEST_CASE("project.ini is found from a folder inside the project, and named when it is not there",
          "[project]") {
  ProjectFixture shop;
  CHECK(error_of([&] { read_project_files(shop.root(), shop.world()); }).find("create-project") !=
        std::string::npos);
  shop.write("project.ini", "[project]\n");
  shop.write("a/b/c.txt", "");
  CHECK(read_project_files(shop.root() / "a/b", shop.world()).folder == shop.root());
}

TEST_CASE("all mistakes of all files are reported at once, in the order of the files", "[project]") {
  ProjectFixture shop;
  shop.write("project.ini",
             "[project]\ndepends = a, b\n[hosts]\nh = u@h;rm -rf\nweb = w[1:2]\n[hots]\nx = "
             "1\n[config:p]\nhosts = wep\nconfirm = perhaps\n"
             "[hub]\nurl = x\n");
  shop.write(
      "a/a.ini",
      "[module]\npaht = /srv/a\nkeep_releases = many\nlayout = inline\npath = /srv/a\npath-wep = /srv\n");
  const std::vector<std::string> problems = shop.problems();
  const std::vector<std::string> expected = {
      "project.ini:2: module \"b\" is missing: there is no b/b.ini | create b/b.ini, or name the module's "
      "folder in [modules] of project.ini",
      "project.ini:4: \"h;rm -rf\" is no host name that can be used | letters, digits and . - _ are allowed, "
      "with no - at the start; write user@host:port, user@[IPv6]:port or local:",
      "project.ini:6: unknown section [hots] | did you mean \"hosts\"?",
      "project.ini:9: [config:p] hosts: \"wep\" matches no host | did you mean \"web\"?",
      "project.ini:10: confirm: expected yes or no, got \"perhaps\"",
      "project.ini:11: [hub] is not yet supported",
      "a/a.ini:2: unknown key \"paht\" in [module] | did you mean \"path\"?",
      "a/a.ini:3: keep_releases: expected a whole number, got \"many\"",
      "a/a.ini:4: layout: expected one of releases, inplace, got \"inline\"",
      "a/a.ini:6: path-wep: \"wep\" is no host, group or config | did you mean \"path-web\"?",
  };
  CHECK(problems == expected);
}

TEST_CASE("dependencies come first, each once, in the order of the files", "[project]") {
  ProjectFixture shop;
  shop.write("project.ini", "[project]\ndepends = z , a,z\n");
  shop.write("z/z.ini", "[module]\ndepends = shared, m\npath = /z\n");
  shop.write("a/a.ini", "[module]\ndepends = shared\npath = /a\n");
  shop.write("m/m.ini", "[module]\ndepends = shared\npath = /m\n");
  shop.write("shared/shared.ini", "[module]\npath = /s\n");
  CHECK(names(shop.load().modules) == Names{"shared", "m", "z", "a"});
}

TEST_CASE("a circle of modules is printed as a path, with its line", "[project]") {
  ProjectFixture shop;
  shop.write("project.ini", "[project]\ndepends = root\n");
  shop.write("root/root.ini", "[module]\npath = /r\ndepends = a\n");
  shop.write("a/a.ini", "[module]\npath = /a\ndepends = b\n");
  shop.write("b/b.ini", "[module]\npath = /b\n\ndepends = a\n");
  CHECK(shop.problems() == Names{"b/b.ini:4: modules depend on each other in a circle: a -> b -> a"});
  shop.write("b/b.ini", "[module]\npath = /b\ndepends = b\n");
  CHECK(shop.problems() == Names{"b/b.ini:3: modules depend on each other in a circle: b -> b"});
}

TEST_CASE("the module's ini is called like its folder, wherever that is", "[project]") {
  ProjectFixture shop;
  shop.write("project.ini", "[project]\ndepends = m\n[modules]\nm = deep/er/\n");
  shop.write("deep/er/er.ini", module_ini);
  CHECK(shop.load().modules[0].folder == shop.root() / "deep/er");
}

TEST_CASE("one folder may be project and module at once", "[project]") {
  ProjectFixture shop;
  shop.write("project.ini", "[project]\ndepends = m\n[modules]\nm = .\n");
  shop.write("shop.ini", module_ini);
  CHECK(shop.load().modules[0].folder == shop.root());
}

TEST_CASE("plugins are never looked for by a path", "[project]") {
  ProjectFixture shop;
  shop.write("project.ini", "[project]\ndepends = a\n");
  shop.write("a/a.ini", "[module]\npath = /a\n[plugin:../../evil]\n[plugin:good.one]\n");
  CHECK(read_project_files(shop.root(), shop.world()).plugins == Names{"good.one"});
  CHECK(shop.problems().size() == 1);
}

TEST_CASE("hosts that suffixes cannot tell apart are refused", "[hosts]") {
  ProjectFixture shop;
  shop.write("project.ini", "[project]\n[hosts]\nweb-1 = a\nWeb_1 = b\n");
  REQUIRE(shop.problems().size() == 1);
  CHECK(shop.problems()[0].rfind("project.ini:4: \"Web_1\" and \"web-1\" of line 3 differ only in case", 0) ==
        0);
}

TEST_CASE("a config cannot be a way out of the config folder", "[project]") {
  ProjectFixture shop;
  shop.write("project.ini", "[project]\n[config:..]\n[config:a/b]\n");
  CHECK(shop.problems().size() == 2);
}

TEST_CASE("files full of mistakes or hosts are dealt with in bounded time", "[project]") {
  ProjectFixture shop;
  std::string text = "[project]\n";
  for (int i = 0; i < 30000; ++i)
    text += fmt::format("[host:web{}]\n", i);
  shop.write("project.ini", text);
  CHECK(shop.problems().size() == 201);
  text = "[project]\n";
  for (int i = 0; i < 9000; ++i)
    text += fmt::format("[host:web{}]\naddress = x{}\n", i, i);
  shop.write("project.ini", text);
  CHECK(shop.load().hosts.size() == 9000);
  text = "[project]\n[hosts]\n";
  for (int i = 0; i < 50; ++i)
    text += fmt::format("g{} = h{}x[1:9999]\n", i, i);
  shop.write("project.ini", text);
  CHECK(shop.problems().size() == 49);
}

TEST_CASE("a missing module is an error with a suggestion", "[project]") {
  ProjectFixture shop;
  shop.write("project.ini", "[project]\ndepends = rooot\n");
  shop.write("root/root.ini", module_ini);
  CHECK(shop.problems() == Names{"project.ini:2: module \"rooot\" is missing: there is no rooot/rooot.ini | "
                                 "did you mean \"root\"?"});
  shop.write("project.ini", "[project]\ndepends = ../x\n");
  CHECK(shop.problems() == Names{"project.ini:2: \"../x\" is no name for a module"});
}

TEST_CASE("suffixes are looked up as host, group, config, plain", "[settings]") {
  ProjectFixture shop;
  shop.write("project.ini",
             "[project]\ndepends = a\n[hosts]\nweb = w[1:3]\nvbox = v\n[config:prod]\nhosts = web\n");
  shop.write("a/a.ini", "[module]\npath = /plain\nPath_W1 = /w1\npath-web = /web\npath-prod = /prod\n");
  const Project project = shop.load();
  const auto path = [&](const char* host, const char* config) {
    return project.settings_for(project.modules[0], *project.find_host(host), config).path();
  };
  CHECK(path("w1", "prod") == "/w1");
  CHECK(path("w2", "prod") == "/web");
  CHECK(path("vbox", "prod") == "/prod");
  CHECK(path("vbox", "") == "/plain");
}

TEST_CASE("a declared option name wins over a suffix", "[settings]") {
  ProjectFixture shop;
  shop.write("project.ini", "[project]\ndepends = a\n[hosts]\ndata-url = h\nother = o\n");
  shop.write("a/a.ini",
             "[module]\npath = /a\n[plugin:porter.plugins.crontab]\nsend = plain\nsend_data_url = "
             "https://x/\nsend-other = other\n");
  const Project project = shop.load(crontab);
  const auto get = [&](const char* host, const char* option) {
    return project.settings_for(project.modules[0], *project.find_host(host), "")
        .get("plugin:porter.plugins.crontab", option);
  };
  CHECK(get("data-url", "send") == "plain");
  CHECK(get("data-url", "send-data-url") == "https://x/");
  CHECK(get("other", "send") == "other");
}

TEST_CASE("an unknown suffix is an error with a suggestion", "[settings]") {
  ProjectFixture shop;
  shop.write("project.ini", "[project]\ndepends = a\n[hosts]\nvbox = v\n");
  shop.write("a/a.ini", "[module]\npath = /a\npath-vbx = /b\nbuild-vbox = make\ndepends-vbox = b\n");
  CHECK(shop.problems().at(0) ==
        "a/a.ini:3: path-vbx: \"vbx\" is no host, group or config | did you mean \"path-vbox\"?");
  CHECK(shop.problems().size() == 2);
  CHECK(shop.problems().at(1).rfind("a/a.ini:5: unknown key \"depends-vbox\"", 0) == 0);
}

TEST_CASE("what runs once for all hosts looks at the config's suffix only", "[settings]") {
  ProjectFixture shop;
  shop.write("project.ini",
             "[project]\ndepends = a\n[hosts]\nweb = w1\nbox = b\n[config:prod]\nhosts = web\n");
  shop.write("a/a.ini", "[module]\npath = /a\nbuild = make\nbuild-prod = make prod\nbuild-box = make box\n");
  const Project project = shop.load();
  const auto build = [&](const char* host, const char* config) {
    return project.settings_for(project.modules[0], *project.find_host(host), config).build();
  };
  CHECK(build("box", "prod") == Names{"make", "prod"});
  CHECK(build("box", "") == Names{"make"});
  CHECK(build("web", "box") == Names{"make", "box"});
  shop.write("a/a.ini", "[module]\npath = /a\nbuild-pord = make\n");
  CHECK(shop.problems() ==
        Names{"a/a.ini:3: build-pord: \"pord\" is no host, group or config | did you mean \"build-prod\"?"});
}

TEST_CASE("plugin options are typed: use_sudo = 0 is false", "[settings]") {
  ProjectFixture shop;
  shop.write("project.ini", "[project]\ndepends = a\n[hosts]\nh = x\n");
  shop.write("a/a.ini",
             "[module]\npath = /a\n[plugin:porter.plugins.crontab]\nuse-sudo = 0\ntoken = s3cret\n");
  const Project project = shop.load(crontab);
  const ModuleSettings settings = project.settings_for(project.modules[0], project.hosts[0], "");
  const std::string section = "plugin:porter.plugins.crontab";
  CHECK_FALSE(as_boolean({"use_sudo", settings.get(section, "use_sudo").value(), {}}));
  CHECK(settings.get(section, "file") == "web.crontab");
  CHECK(settings.get(section, "token") == "s3cret");
  CHECK(settings.effective().at(section).at("token") == "(secret)");
  shop.write("a/a.ini", "[module]\npath = /a\n[plugin:porter.plugins.crontab]\nuse_sudo = maybe\nfiel = x\n");
  CHECK(shop.problems(crontab) ==
        Names{"a/a.ini:4: use_sudo: expected yes or no, got \"maybe\"",
              "a/a.ini:5: unknown key \"fiel\" in [plugin:porter.plugins.crontab] | did you mean \"file\"?"});
}

TEST_CASE("a changed setting changes the digest, a changed secret as well", "[settings]") {
  ProjectFixture shop;
  shop.write("project.ini", "[project]\ndepends = a\n[hosts]\nh = x\n");
  const auto digest = [&](const std::string& more) {
    shop.write("a/a.ini", "[module]\npath = /a\n" + more);
    const Project project = shop.load(crontab);
    return project.settings_for(project.modules[0], project.hosts[0], "").digest();
  };
  const auto plain = digest("");
  CHECK(digest("") == plain);
  CHECK(digest("; a comment\n") == plain);
  CHECK(digest("exclude = x\n") != plain);
  const std::string plugin = "[plugin:porter.plugins.crontab]\ntoken = ";
  CHECK(digest(plugin + "one\n") != digest(plugin + "two\n"));
}

TEST_CASE("options of a plugin that was not found are kept and not judged", "[settings]") {
  ProjectFixture shop;
  shop.write("project.ini", "[project]\ndepends = a\n[hosts]\nh = x\n");
  shop.write("a/a.ini", "[module]\npath = /a\n[plugin:my.own]\nany-thing = 1\nany_thing-h = 2\n");
  const Project project = shop.load(crontab);
  const ModuleSettings settings = project.settings_for(project.modules[0], project.hosts[0], "");
  CHECK(settings.get("plugin:my.own", "any_thing") == "2");
}

TEST_CASE("nearer files win: module, project, user, site, built-in", "[settings]") {
  ProjectFixture shop;
  shop.write("project.ini", "[project]\ndepends = a,b\n[hosts]\nh = x\n[module]\nexclude = p\nlink = copy\n");
  shop.write("a/a.ini", "[module]\npath = /a\nexclude = m\n");
  shop.write("b/b.ini", "[module]\npath = /b\n");
  shop.write_user(
      "[module]\nexclude = u\nlink = hard\nkeep_releases = 7\n[plugins]\npath = mine, ~/more\n[host:h]\nuser "
      "= me\n[host:elsewhere]\nuser = x\n");
  shop.write_site("[module]\nkeep_releases = 8\ndurability = none\n[host:h]\nuser = site\nbecome = app\n");
  const Project project = shop.load();
  const ModuleSettings a = project.settings_for(project.modules[0], project.hosts[0], "");
  CHECK(a.exclude() == Names{"m"});
  CHECK(a.link() == LinkMode::copy);
  CHECK(a.keep_releases() == 7);
  CHECK(a.durability() == Durability::none);
  CHECK(a.become() == "app");
  CHECK(project.settings_for(project.modules[1], project.hosts[0], "").exclude() == Names{"p"});
  CHECK(project.hosts[0].user == "me");
  CHECK(project.plugin_folders.at(1) == shop.world().home() / "more");
  shop.write_user("[module]\npath = /x\n[hosts]\nx = y\n");
  CHECK(shop.problems().size() == 2);
}

TEST_CASE("a module without a path for the host is an error that says what to write", "[settings]") {
  ProjectFixture shop;
  shop.write("project.ini", "[project]\ndepends = a\n[hosts]\nh = x\nl = local:\n");
  shop.write("a/a.ini", "[module]\npath-l = rel\n");
  const Project project = shop.load();
  const std::string missing =
      error_of([&] { project.settings_for(project.modules[0], project.hosts[0], ""); });
  CHECK(missing.find("module \"a\" has no path for host \"h\"") != std::string::npos);
  shop.write("a/a.ini", "[module]\npath = rel\n");
  const Project relative = shop.load();
  CHECK_FALSE(error_of([&] { relative.settings_for(relative.modules[0], relative.hosts[0], ""); }).empty());
  for (const char* bad : {"/", "~/x", "/a/../..", "/.", ""}) {
    CAPTURE(bad);
    shop.write("a/a.ini", std::string("[module]\npath = ") + bad + "\n");
    CHECK(shop.problems().size() == 1);
  }
}

TEST_CASE("hosts: groups, long forms and mistakes", "[hosts]") {
  ProjectFixture shop;
  shop.write("project.ini",
             "[project]\n[hosts]\npair = a.x.org, b.x.org:2200\nv6 = u@[::1]:2022\n[host:pair]\nbecome = "
             "app\n[host:b]\nbecome = own\nport = 2300\n"
             "[host:extra]\naddress = e.x.org\nidentity = ~/.ssh/key\njump = u@gate:22\ntags = t1, t2\n");
  const Project project = shop.load();
  CHECK(names(project.hosts) == Names{"a", "b", "v6", "extra"});
  CHECK(project.find_host("a")->become == "app");
  CHECK(project.find_host("b")->become == "own");
  CHECK(project.find_host("b")->port == 2300);
  CHECK(project.find_host("v6")->address == "::1");
  CHECK(project.find_host("extra")->identity == shop.world().home() / ".ssh/key");
  CHECK(project.find_host("extra")->tags == Names{"t1", "t2"});
  shop.write("project.ini",
             "[project]\n[hosts]\nweb = a\n[host:wob]\nuser = u\n[host:web]\nuser = -oX\nport = "
             "70000\nagent_path = rel\nbecome = a b\njump = local:\nprot = 1\n");
  CHECK(shop.problems() ==
        Names{"project.ini:4: [hosts] has no host or group \"wob\" | did you mean \"web\"?",
              "project.ini:7: user: \"-oX\" is no user name that can be used | letters, digits and . - _ are "
              "allowed, with no - at the start",
              "project.ini:8: port: expected 1 to 65535, got 70000",
              "project.ini:9: agent_path: expected an absolute path, got \"rel\"",
              "project.ini:10: become: \"a b\" is no user name that can be used | letters, digits and . - _ "
              "are allowed, with no - at the start",
              "project.ini:11: jump: local: is no jump host",
              "project.ini:12: unknown key \"prot\" in [host:web] | did you mean \"port\"?"});
}

TEST_CASE("short names are used only where they name one host", "[hosts]") {
  ProjectFixture shop;
  shop.write("project.ini",
             "[project]\n[hosts]\nold = web[1:2].old.org\nnew = web[2:3].new.org\nips = 10.0.0.[1:2]\n");
  CHECK(names(shop.load().hosts) ==
        Names{"web1", "web2.old.org", "web2.new.org", "web3", "10.0.0.1", "10.0.0.2"});
  shop.write("project.ini", "[project]\n[hosts]\na = x\nb = h[1:2], h1\n");
  CHECK(shop.problems().size() == 1);
}

TEST_CASE("sections that later work fills are refused by name", "[project]") {
  ProjectFixture shop;
  shop.write("project.ini", "[project]\ndepends = a\n[repository:main]\nurl = x\n[hub]\nurl = x\n");
  shop.write("a/a.ini", "[module]\npath = /a\n[packages]\ncurl = >=7.35\n[versions]\ncurl = 7.37.0\n");
  CHECK(shop.problems() == Names{"project.ini:3: [repository:main] is not yet supported",
                                 "project.ini:5: [hub] is not yet supported",
                                 "a/a.ini:3: [packages] is not yet supported",
                                 "a/a.ini:5: [versions] is not yet supported"});
  try {
    make_project(read_project_files(shop.root(), shop.world()), nullptr);
  } catch (const porter::base::Errors& errors) {
    CHECK(errors.all().front().code() == porter::base::Code::unsupported);
  }
}

TEST_CASE("how long a handler may take: the project says, else the user, else half an hour", "[project]") {
  using namespace std::chrono_literals;
  ProjectFixture shop;
  shop.write("project.ini", "[project]\n");
  CHECK(shop.load().handler_timeout == 30min);
  CHECK(Project{}.handler_timeout == 30min);
  shop.write_user("[deploy]\nhandler_timeout = 2h\n");
  CHECK(shop.load().handler_timeout == 2h);
  shop.write("project.ini", "[project]\n[deploy]\nhandler-timeout = 500ms\n");
  CHECK(shop.load().handler_timeout == 500ms);
  for (const char* wrong : {"0", "0h", "366d", "1000000000d"}) {
    shop.write("project.ini", std::string("[project]\n[deploy]\nhandler_timeout = ") + wrong + "\n");
    CHECK(shop.problems() ==
          Names{std::string("project.ini:3: handler_timeout: expected more than 0 and at most "
                            "365d, got ") +
                wrong});
  }
  shop.write("project.ini", "[project]\n[deploy]\nhandler_timeout = soon\nwaves = 1\n");
  CHECK(shop.problems().size() == 2);
}

TEST_CASE("how long a connection may be silent: from a second to an hour", "[project]") {
  using namespace std::chrono_literals;
  ProjectFixture shop;
  shop.write("project.ini", "[project]\n");
  CHECK(shop.load().idle_timeout == 60s);
  CHECK(Project{}.idle_timeout == 60s);
  shop.write("project.ini", "[project]\n[deploy]\nidle_timeout = 1500ms\n");
  CHECK(shop.load().idle_timeout == 1500ms);
  for (const char* wrong : {"0", "999ms", "61min"}) {
    shop.write("project.ini", std::string("[project]\n[deploy]\nidle_timeout = ") + wrong + "\n");
    CHECK(
        shop.problems() ==
        Names{std::string("project.ini:3: idle_timeout: expected at least 1s and at most 1h, got ") + wrong});
  }
}

TEST_CASE("sections in the wrong file say where they belong", "[project]") {
  ProjectFixture shop;
  shop.write("project.ini", "[project]\ndepends = a\n[scm]\nurl = x://y\n[plugin:x.y]\n[release]\n[host:]\n");
  shop.write("a/a.ini", "[module]\npath = /a\nuse_rsync = 0\n[hosts]\nx = y\n");
  const std::vector<std::string> problems = shop.problems();
  REQUIRE(problems.size() == 6);
  CHECK(problems[0] == "project.ini:3: [scm] has no place in project.ini | it belongs into a module's ini");
  CHECK(problems[1].find("no module uses the plugin \"x.y\"") != std::string::npos);
  CHECK(problems[2].find("unknown section [release]") != std::string::npos);
  CHECK(problems[4].find("rsync") != std::string::npos);
  CHECK(problems[5] == "a/a.ini:4: [hosts] has no place in a module's ini | it belongs into project.ini");
}

TEST_CASE("releases are checked, and names that git would take for options refused", "[project]") {
  ProjectFixture shop;
  shop.write("project.ini", "[project]\ndepends = a\n");
  shop.write("a/a.ini",
             "[module]\npath = /a\n[release:one]\ntag = -x\n[release:two]\nbranch = "
             "a..b\n[release:three]\nversion = 1\ntag = t\n"
             "[release:four]\ntag = v1\nbranch = b\n[release:five]\ncommit = x\n[scm]\n");
  const std::vector<std::string> problems = shop.problems();
  CHECK(problems.size() == 5);
  shop.write("a/a.ini", "[module]\npath = /a\n[release:four]\ntag = v1\nbranch = b\n[release:none]\n");
  const Module module = shop.load().modules[0];
  CHECK(module.refs[0].kind == RefKind::tag);
  CHECK(module.refs[0].value == "v1");
  CHECK(module.refs[1].kind == RefKind::implied);
}

TEST_CASE("config files are checked before anything else happens", "[settings]") {
  ProjectFixture shop;
  shop.write("project.ini", "[project]\ndepends = a\n[hosts]\ntesting = x\n");
  shop.write(
      "a/a.ini",
      "[module]\npath = /a\n[config_files]\nlocal.py = sub/local.py\nmaybe.py? = maybe.py\nhere.py =\n");
  shop.write("a/config/testing/here.py", "");
  const Project project = shop.load();
  const auto check = [&](const std::string& config) {
    return error_of(
        [&] { check_config_files(project.settings_for(project.modules[0], project.hosts[0], config)); });
  };
  CHECK(check("testing").rfind("a/a.ini:4: config file \"sub/local.py\" of module \"a\" is missing for "
                               "config \"testing\" | create ",
                               0) == 0);
  CHECK(check("testing").find("maybe.py") == std::string::npos);
  shop.write("a/config/testing/sub/local.py", "");
  CHECK(check("testing").empty());
  CHECK(check("").find("--config") != std::string::npos);
  std::filesystem::remove(shop.root() / "a/config/testing/here.py");
  std::filesystem::create_symlink("/etc/hostname", shop.root() / "a/config/testing/here.py");
  CHECK(check("testing").find("leads out of") != std::string::npos);
  std::filesystem::remove(shop.root() / "a/config/testing/here.py");
  std::filesystem::create_directory(shop.root() / "a/config/testing/here.py");
  CHECK(check("testing") ==
        "a/a.ini:6: config file \"here.py\" of module \"a\" is a folder, a file is expected\n");
}

TEST_CASE("config files cannot leave their folder or the tree", "[project]") {
  ProjectFixture shop;
  shop.write("project.ini", "[project]\ndepends = a\n");
  shop.write("a/a.ini",
             "[module]\npath = /a\n[config_files]\n../x = a\n/etc/x = a\nok = ../../secret\na? = a\na = "
             "a\n[shared]\npaths = ok, ../up\n");
  CHECK(shop.problems().size() == 5);
}

TEST_CASE("two modules cannot share a path on one host", "[settings]") {
  ProjectFixture shop;
  shop.write("project.ini", "[project]\ndepends = a, b\n[hosts]\nh = x\ng = y\n");
  shop.write("a/a.ini", "[module]\npath = /srv/a\n");
  shop.write("b/b.ini",
             "[module]\npath = /srv/a/workers\npath-g = /srv/x/../a\npath-h = /srv/a/releases/b\n");
  CHECK(shop.problems().size() == 1);  // the ".."
  shop.write("b/b.ini", "[module]\npath = /srv/a/workers\npath-g = /srv//a/\n");
  const Project project = shop.load();
  const auto check = [&](const char* host) {
    std::vector<ModuleSettings> all;
    for (const Module& module : project.modules)
      all.push_back(project.settings_for(module, *project.find_host(host), ""));
    return error_of([&] { check_paths_apart(all); });
  };
  CHECK(check("h").empty());
  CHECK(check("g").find("module \"a\" goes to /srv/a, and module \"b\" to /srv/a") != std::string::npos);
}

TEST_CASE("who the agent works as cannot be an option of sudo", "[settings]") {
  ProjectFixture shop;
  shop.write("project.ini", "[project]\ndepends = a\n[hosts]\nh = x\n[module]\nbecome-h = -i\n");
  shop.write("a/a.ini", "[module]\npath = /a\nbecome = a;b\nkeep_releases-h = 00\n");
  CHECK(shop.problems().size() == 3);
}

TEST_CASE("a file that is broken is not blamed for what it lacks as well", "[project]") {
  ProjectFixture shop;
  shop.write("project.ini", "[project\ndepends = a\n");
  CHECK(shop.problems() ==
        Names{"project.ini:1: the section has no closing bracket: [project | write [project]"});
}

TEST_CASE("random project files never do worse than report problems inside the files", "[project]") {
  std::mt19937 random(815);
  const std::vector<std::string> lines = {"[project]",
                                          "depends = root, x",
                                          "name = %(depends)s",
                                          "[hosts]",
                                          "a = u@h[1:3]",
                                          "b = local:",
                                          "c = [::1]:22",
                                          "d = [1:",
                                          "e[1:2] = x",
                                          "[host:a]",
                                          "port = 99999",
                                          "jump = x y",
                                          "vars.x = 1",
                                          "[host:zz]",
                                          "address = q",
                                          "[config:p]",
                                          "hosts = !a, @t, h[1:2]",
                                          "confirm = so",
                                          "[modules]",
                                          "root = ../root/",
                                          "x = ",
                                          "[plugins]",
                                          "path = ~/x, y",
                                          "[module]",
                                          "become = -x",
                                          "layout-a = inplace",
                                          "[scm]",
                                          "url = x",
                                          "  continued",
                                          "[release:s]",
                                          "[plugin:]",
                                          "[plugin:a.b]",
                                          "[",
                                          "= x",
                                          "[deploy]"};
  for (int round = 0; round < 150; ++round) {
    ProjectFixture shop;
    for (const char* file : {"project.ini", "root/root.ini", "x/x.ini"}) {
      std::string text = random() % 3 == 0 ? "" : "[project]\ndepends = root, x\n";
      for (std::size_t i = random() % 25; i > 0; --i)
        text += lines[random() % lines.size()] + "\n";
      shop.write(file, text);
    }
    try {
      make_project(read_project_files(shop.root(), shop.world()), nullptr);
    } catch (const porter::base::Errors& errors) {
      for (const porter::base::Error& error : errors.all()) {
        CHECK_FALSE(error.where().file.empty());
        CHECK(error.where().line <= 28);
        CHECK(error.code() != porter::base::Code::internal);
      }
    }
  }
}
