#include "core/transport/ssh_config.h"

#include "core/base/error.h"
#include "core/transport/host_pattern.h"
#include "tests/support/catch.h"

using namespace porter;
using namespace porter::transport;

namespace {

SshHostConfig parse(std::string_view text, std::string_view alias) {
  return parse_ssh_config(text, alias, "/home/me", "config");
}

}  // namespace

TEST_CASE("host patterns know stars and question marks and nothing else", "[pattern]") {
  CHECK(host_pattern_matches("*.example.org", "WEB.example.org"));
  CHECK(host_pattern_matches("web?", "web1"));
  CHECK(host_pattern_matches("*", ""));
  CHECK_FALSE(host_pattern_matches("web?", "web"));
  CHECK_FALSE(host_pattern_matches("*.example.org", "example.org"));
  CHECK(host_pattern_matches("[web]:22??", "[web]:2222"));
  CHECK_FALSE(host_pattern_matches("[web]", "w"));
  CHECK(host_patterns_match({"*.org", "!bad.org"}, "good.org"));
  CHECK_FALSE(host_patterns_match({"*.org", "!bad.org"}, "bad.org"));
  CHECK_FALSE(host_patterns_match({"!bad.org"}, "good.org"));
}

TEST_CASE("a pattern full of stars is matched without taking for ever", "[pattern]") {
  std::string stars;
  for (int i = 0; i < 200; ++i)
    stars += "*a";
  CHECK_FALSE(host_pattern_matches(stars + "b", std::string(2000, 'a')));
}

TEST_CASE("the first value for a host counts, identities add up", "[config]") {
  const SshHostConfig found = parse(
      "User everyone\n"
      "Host web *.web\n"
      "  HostName %h.example.org\n"
      "  Port=2222\n"
      "  User later\n"
      "  IdentityFile ~/.ssh/one\n"
      "Host *\n"
      "  Port 22\n"
      "  IdentityFile \"%d/with blank\"\n"
      "  ProxyJump a,b:23\n"
      "  UserKnownHostsFile ~/k1 /k2\n"
      "  SomethingElse yes\n",
      "web");
  CHECK(found.user == "everyone");
  CHECK(found.host_name == "web.example.org");
  CHECK(found.port == 2222);
  CHECK(found.identities == std::vector<std::filesystem::path>{"/home/me/.ssh/one", "/home/me/with blank"});
  CHECK(found.jump == "a,b:23");
  CHECK(found.known_hosts == std::vector<std::filesystem::path>{"/home/me/k1", "/k2"});
}

TEST_CASE("negated hosts, comments and Match blocks do not apply", "[config]") {
  const SshHostConfig found = parse(
      "# User a\n"
      "Host * !web\n User b\n"
      "Match exec \"true\"\n User c\n"
      "Host w*  # User d\n Port 23 # not 24\n",
      "web");
  CHECK(found.user.empty());
  CHECK(found.port == 23);
}

TEST_CASE("a port that is none is an error with file and line", "[config]") {
  try {
    parse("Host web\n  Port ssh\n", "web");
    FAIL("taken");
  } catch (const base::Error& error) {
    CHECK(error.where().file == "config");
    CHECK(error.where().line == 2);
  }
  CHECK(parse("Host other\n Port ssh\n", "web").port == 0);
}
