#include "core/cli/arguments.h"

#include "core/base/error.h"
#include "tests/support/catch.h"
#include "tests/support/error_of.h"
#include "tests/unit/cli/cli_fixture.h"

using namespace porter;
using cli::Command;
using cli::Invocation;
using Words = std::vector<std::string>;

namespace {

const std::vector<cli::PluginArgument> kPlugins = {
    {"acme.audit", "audit-level", true, "how much to write down"},
    {"acme.audit", "audit-all", false, "write everything down"},
};

Invocation parse(const Words& words) {
  const tests::TestWorld here;
  return cli::parse_arguments(words, kPlugins, here.world);
}

base::Error refusal(const Words& words) {
  base::Error error = tests::error_of([&] { parse(words); });
  CHECK(error.code() == base::Code::usage);
  return error;
}

}  // namespace

TEST_CASE("a plain deploy means everything, stable, and no questions answered", "[arguments]") {
  const Invocation given = parse({"deploy"});
  CHECK(given.command == Command::supervised);
  CHECK(given.request.action == engine::Action::deploy);
  CHECK(given.request.modules.empty());
  CHECK(given.request.hosts.empty());
  CHECK(given.request.with_dependencies);
  CHECK(given.request.ref == "stable");
  CHECK_FALSE(given.request.force_all);
  CHECK_FALSE(given.request.dry_run);
  CHECK_FALSE(given.request.adopt);
  CHECK_FALSE(given.request.yes);
  CHECK_FALSE(given.request.interactive);
  CHECK(given.format == cli::Format::people);
  CHECK(given.detail == cli::Detail::normal);
  CHECK(given.text.empty());
}

TEST_CASE("every flag of deploy arrives", "[arguments]") {
  const Invocation given = parse({"deploy",
                                  "--host",
                                  "a",
                                  "one",
                                  "--host=b",
                                  "--config",
                                  "testing",
                                  "--no-deps",
                                  "-r",
                                  "2.0",
                                  "--dry-run",
                                  "--adopt",
                                  "--yes",
                                  "-m",
                                  "why not",
                                  "--plugin-path",
                                  "p1",
                                  "--plugin-path=p2",
                                  "--known-hosts",
                                  "kh",
                                  "--json",
                                  "-v",
                                  "two"});
  const engine::Request& request = given.request;
  CHECK(request.modules == Words{"one", "two"});
  CHECK(request.hosts == Words{"a", "b"});
  CHECK(request.config == "testing");
  CHECK_FALSE(request.with_dependencies);
  CHECK(request.ref == "2.0");
  CHECK(request.dry_run);
  CHECK(request.adopt);
  CHECK(request.yes);
  CHECK(request.message == "why not");
  CHECK(request.plugin_path == Words{"p1", "p2"});
  CHECK(request.known_hosts == "kh");
  CHECK(given.format == cli::Format::json);
  CHECK(given.detail == cli::Detail::verbose);
  CHECK(parse({"deploy", "--release", "x", "--message=m", "-q"}).request.ref == "x");
  CHECK(parse({"deploy", "-q"}).detail == cli::Detail::quiet);
}

TEST_CASE("--force takes names, or none for all", "[arguments]") {
  CHECK(parse({"deploy", "--force"}).request.force_all);
  CHECK(parse({"deploy", "--force", "--host", "a"}).request.force_all);
  const auto both = parse({"deploy", "--force", "a, b"}).request;
  CHECK(both.force == Words{"a", "b"});
  CHECK_FALSE(both.force_all);
  CHECK(both.modules.empty());
  CHECK(parse({"deploy", "--force=a"}).request.force == Words{"a"});
  const auto behind = parse({"deploy", "--force", "--", "one"}).request;
  CHECK(behind.force_all);
  CHECK(behind.modules == Words{"one"});
  const auto before = parse({"deploy", "one", "--force"}).request;
  CHECK(before.force_all);
  CHECK(before.modules == Words{"one"});
}

TEST_CASE("arguments of plugins belong to deploy and plan, and arrive by name", "[arguments]") {
  const auto given = parse({"deploy", "--audit-level", "--audit-level-is-odd", "--audit-all"});
  CHECK(given.request.plugin_arguments ==
        std::map<std::string, std::string>{{"audit-level", "--audit-level-is-odd"}, {"audit-all", ""}});
  CHECK(parse({"deploy", "--audit-level=a b"}).request.plugin_arguments.at("audit-level") == "a b");
  CHECK(parse({"plan", "--audit-level=a b"}).request.plugin_arguments.at("audit-level") == "a b");
  CHECK(parse({"deploy"}).request.plugin_arguments.empty());
  CHECK(refusal({"run", "--audit-all", "--", "x"}).message() == "unknown flag \"--audit-all\"");
  CHECK(refusal({"deploy", "--audit-al"}).hint_text() == "did you mean \"--audit-all\"?");
}

TEST_CASE("run passes on what follows the dashes, whatever it looks like", "[arguments]") {
  const auto given = parse({"run", "--host", "a", "--", "ls", "-la", "--host", "--", "--help", "", "a b"});
  CHECK(given.command == Command::supervised);
  CHECK(given.request.action == engine::Action::run);
  CHECK(given.request.hosts == Words{"a"});
  CHECK(given.request.command == Words{"ls", "-la", "--host", "--", "--help", "", "a b"});
  CHECK(parse({"run", "uptime"}).request.command == Words{"uptime"});
  CHECK(refusal({"run", "--host", "a"}).message() == "run: no program was given");
  CHECK(refusal({"run", "--"}).hint_text() == "porter-admin run --host NAME -- CMD ARG…");
}

TEST_CASE("only what is put somewhere brings along what it depends on", "[arguments]") {
  CHECK(parse({"plan", "web"}).request.with_dependencies);
  CHECK_FALSE(parse({"plan", "--no-deps", "web"}).request.with_dependencies);
  for (const char* command :
       {"rollback", "freeze", "unfreeze", "status", "releases", "history", "diff", "doctor"}) {
    INFO(command);
    const engine::Request request = parse({command, "web"}).request;
    CHECK(request.modules == Words{"web"});
    CHECK_FALSE(request.with_dependencies);
    CHECK(refusal({command, "--no-deps"}).message() == "unknown flag \"--no-deps\"");
  }
}

TEST_CASE("words behind the dashes are modules, whatever they look like", "[arguments]") {
  for (const char* command : {"deploy", "plan", "rollback", "freeze", "unfreeze", "status", "releases",
                              "history", "diff", "doctor"}) {
    INFO(command);
    CHECK(parse({command, "web", "--", "--yes"}).request.modules == Words{"web", "--yes"});
  }
  CHECK(refusal({"resume", "--", "more"}).message() == "unknown argument or command \"more\"");
}

TEST_CASE("a value that is empty is no value: more would be done than was meant", "[arguments]") {
  const auto words = GENERATE(values<Words>({{"deploy", "--plan"},
                                             {"deploy", "--host"},
                                             {"deploy", "--config"},
                                             {"deploy", "-r"},
                                             {"deploy", "--lock-wait"},
                                             {"plan", "--out"},
                                             {"status", "--known-hosts"},
                                             {"rollback", "--to"},
                                             {"releases", "--pin"},
                                             {"releases", "--good"}}));
  Words with = words;
  with.emplace_back("");
  INFO(words[0] << " " << words[1]);
  CHECK(refusal(with).message().find(words[1]) != std::string::npos);
  if (words[1].starts_with("--"))
    CHECK(refusal({words[0], words[1] + "="}).message().find(words[1]) != std::string::npos);
}

TEST_CASE("a release is marked in one way at a time", "[arguments]") {
  const auto pinned = parse({"releases", "--pin", "A"}).request;
  CHECK(pinned.mark + " " + pinned.mark_release == "pin A");
  const auto [one, other] = GENERATE(table<std::string, std::string>(
      {{"--pin", "--unpin"}, {"--pin", "--good"}, {"--unpin", "--good"}, {"--good", "--pin"}}));
  const std::string message = refusal({"releases", one, "A", other, "B"}).message();
  CHECK(message.find(one) != std::string::npos);
  CHECK(message.find(other) != std::string::npos);
}

TEST_CASE("the other commands take their names and flags", "[arguments]") {
  CHECK(parse({"create-project", "x"}).command == Command::create_project);
  CHECK(parse({"create_project", "x"}).name == "x");
  CHECK(parse({"plugins"}).command == Command::plugins);
  CHECK(parse({"plugins", "acme.audit", "--json"}).format == cli::Format::json);
  CHECK(parse({"plugins", "--plugin-path", "p", "acme.audit"}).name == "acme.audit");
  CHECK(parse({"hosts", "--json"}).command == Command::hosts);
  const auto trust = parse({"hosts", "trust", "web01", "--yes", "--known-hosts", "kh"});
  CHECK(trust.command == Command::hosts_trust);
  CHECK(trust.name == "web01");
  CHECK(trust.request.yes);
  CHECK(trust.request.known_hosts == "kh");
  CHECK(parse({"explain", "keep_releases"}).name == "keep_releases");
}

TEST_CASE("what is missing or unknown says what to type", "[arguments]") {
  CHECK(refusal({"depoly"}).message() == "unknown argument or command \"depoly\"");
  CHECK(refusal({"depoly"}).hint_text() == "did you mean \"deploy\"?");
  CHECK(refusal({"xyzzy-plugh"}).hint_text() == "porter-admin --help");
  CHECK(refusal({"deploy", "--hots", "a"}).message() == "unknown flag \"--hots\"");
  CHECK(refusal({"deploy", "--hots=a"}).hint_text() == "did you mean \"--host\"?");
  CHECK(refusal({"deploy", "--xyzzy-plugh"}).hint_text() == "porter-admin deploy --help");
  CHECK(refusal({"hosts", "turst"}).hint_text() == "did you mean \"trust\"?");
  CHECK(refusal({"hosts", "trust", "a", "--xyzzy-plugh"}).hint_text() == "porter-admin hosts trust --help");
  CHECK(refusal({"hosts", "trust"}).hint_text() == "porter-admin hosts trust --help");
  CHECK(refusal({"create-project"}).message().find("name") != std::string::npos);
  CHECK(refusal({"deploy", "--host"}).message().find("--host") != std::string::npos);
  CHECK(refusal({"hosts", "--", "more"}).message() == "unknown argument or command \"more\"");
}

TEST_CASE("a flag before its command is told where it belongs", "[arguments]") {
  const base::Error error = refusal({"--config", "testing", "deploy"});
  CHECK(error.message() == "unknown flag \"--config\"");
  CHECK(error.hint_text() == "--config belongs behind the command it is for: porter-admin deploy --help");
}

TEST_CASE("questions are for a terminal at both ends", "[arguments]") {
  tests::TestWorld here;
  here.world.in_is_terminal = true;
  CHECK_FALSE(cli::parse_arguments({"deploy"}, {}, here.world).request.interactive);
  here.world.err_is_terminal = true;
  CHECK(cli::parse_arguments({"deploy"}, {}, here.world).request.interactive);
  CHECK(cli::parse_arguments({"deploy"}, {}, here.world).request.directory == here.world.directory);
}

TEST_CASE("the plugin path is found before anything else is understood", "[arguments]") {
  CHECK(cli::plugin_path_of({"deploy", "--plugin-path", "a", "--nonsense", "--plugin-path=b"}) ==
        Words{"a", "b"});
  CHECK(cli::plugin_path_of({"run", "--", "--plugin-path", "a"}).empty());
  CHECK(cli::plugin_path_of({"deploy", "--plugin-path"}).empty());
}

TEST_CASE("a plugin whose argument is one of deploy's own is refused by name", "[arguments]") {
  const std::vector<cli::PluginArgument> clash = {{"acme.greedy", "yes", false, "agree to everything"}};
  try {
    cli::parse_arguments({"deploy", "--yes"}, clash, base::World());
    FAIL("it was accepted");
  } catch (const base::Error& error) {
    CHECK(error.code() == base::Code::plugin_refused);
    CHECK(error.message().find("acme.greedy") != std::string::npos);
    CHECK(error.message().find("--yes") != std::string::npos);
  }
}

TEST_CASE("a lock is waited for at least as long as was asked, and never without an end", "[arguments]") {
  const auto [text, seconds] = GENERATE(table<std::string, std::uint32_t>(
      {{"500ms", 1}, {"1500ms", 2}, {"2s", 2}, {"30", 30}, {"5m", 300}, {"0", 0}, {"365d", 31536000}}));
  CHECK(parse({"deploy", "--lock-wait", text}).request.lock_wait_seconds == seconds);
  for (const char* refused : {"366d", "100000d", "soon", "99999999999999999999s"})
    CHECK(refusal({"deploy", "--lock-wait", refused}).message().find("at most 365d") != std::string::npos);
}
