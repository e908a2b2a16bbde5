// What a plan says about config files that change: never a value that could be a secret, whatever it is
// called and wherever it stands.

#include "core/engine/config_text.h"

#include "core/base/text.h"
#include "tests/support/catch.h"

using namespace porter;
using Catch::Matchers::Contains;
using engine::describe_changes;
using engine::is_simple_value;
using engine::Shown;
using Lines = std::vector<std::string>;

namespace {

Lines changes(const std::string& before, const std::string& after, Shown shown = Shown::simple_values) {
  return describe_changes("a.conf", before, after, shown);
}

}  // namespace

TEST_CASE("settings are told by name, with values that are too simple to be a secret") {
  CHECK(changes("A = 1\nB: no\nC = x\nD = y\n", "A = 2\n# why\nB: yes\nD = z\nE = off\nF = g\n") ==
        Lines{"a.conf: C removed", "a.conf:1: A: 1 -> 2", "a.conf:3: B: no -> yes", "a.conf:4: D changed",
              "a.conf:5: E added: off", "a.conf:6: F added"});
  CHECK(changes("A = 1\n", "A = 1\n").empty());
  CHECK(changes("A = 1\nB = 2\n", "# hunter\nB = 2\nA = 1\n") ==
        Lines{"a.conf: only comments, empty lines or the order change"});
}

TEST_CASE("a simple value says nothing of the other one") {
  CHECK(changes("A = hunter2\n", "A = 1\n") == Lines{"a.conf:1: A changed"});
  CHECK(changes("A = 1\n", "A = hunter2\n") == Lines{"a.conf:1: A changed"});
  CHECK(changes("A = 1\n", "A = 2\nB = 3\n", Shown::names) ==
        Lines{"a.conf:1: A changed", "a.conf:2: B added"});
}

TEST_CASE("names stand in their section, or below the names around them") {
  CHECK(changes("[db]\nport = 1\n[web]\nport = 1\n", "[db]\nport = 1\n[web]\nport = 2\n") ==
        Lines{"a.conf:4: web.port: 1 -> 2"});
  CHECK(changes("db:\n  main:\n    port: 1\n  spare:\n    port: 1\nport: 1\n",
                "db:\n  main:\n    port: 1\n  spare:\n    port: 2\nport: 1\n") ==
        Lines{"a.conf:5: db.spare.port: 1 -> 2"});
  CHECK(changes("A = 1\nA = 2\n", "A = 1\nA = 3\n") == Lines{"a.conf:2: A: 2 -> 3"});
}

TEST_CASE("only what is too simple to be a secret is a simple value") {
  const auto simple = GENERATE(as<std::string>(), "true", "False", "YES", "off", "null", "None", "'debug'",
                               "\"warn\"", "0", "-1", "999", "'12'", "0.5", "1.25");
  CHECK(is_simple_value(simple));
  const auto other = GENERATE(as<std::string>(), "", "1234", "-", ".", "''", "1.2.3", "1e3", "hunter2",
                              "yes no", "true # hunter2", "'yes", "0x1f", "1.234", "- 1", "12a");
  CHECK_FALSE(is_simple_value(other));
}

TEST_CASE("no value that could be a secret is shown, whatever it is called") {
  const auto text = GENERATE(
      as<std::string>(),  //
      "DB_PASS=canary\n", "pwd = canary\n", "smtp_pw: canary\n", "SALT = 'canary'\n", "cookie: canary\n",
      "<password>canary</password>\n", "'password' => 'canary',\n", "password => canary\n",
      "dsn = postgres://ada:canary@db/x\n", "canary\n", "canary=\n", "canary==\n", "- canary\n",
      "ada:canary\n", "db:5432:x:ada:canary\n", "machine a login b password canary\n", "# canary\n",
      "A = 1 # canary\n", "export A=canary\n", "{\"a\": \"canary\"}\n", "A = canary1\n\\\n");
  for (const Lines& lines : {changes("", text), changes(text, ""), changes(text, "A = 1\n")}) {
    CHECK_FALSE(lines.empty());
    CHECK_THAT(base::join(lines, "\n"), !Contains("canary"));
  }
}

TEST_CASE("what goes on over several lines is only counted, since its lines can look like settings") {
  const auto text = GENERATE(
      as<std::string>(),  //
      "key: |\n  canary: 1\n", "key: >-\n  canary: 1\n", "key: !!binary |\n  canary: 1\n",
      "key: plain\n  canary: 1\n", "a:\n  key: plain\n    canary: 1\n", "KEY = \"\"\"\ncanary = 1\n\"\"\"\n",
      "KEY = '''\ncanary = 1\n'''\n", "KEY = \"\"\"a\ncanary = 1\n\"\"\"\n", "KEY = \"a\ncanary = 1\n\"\n",
      "KEY='a\ncanary=1\n'\n", "KEY = (\ncanary = 1\n)\n", "KEY = [\ncanary = 1\n]\n",
      "KEY = {\ncanary = 1\n}\n", "KEY = a \\\ncanary = 1\n", "KEY=$(cat <<EOF\ncanary=1\nEOF\n)\n",
      "KEY = <<EOF\ncanary = 1\nEOF\n", "KEY = a\n  canary = 1\n", "KEY = a\n\tcanary: 1\n",
      "KEY = \"a\\\"\ncanary = 1\n\"\n", "KEY = 1,\ncanary = 1\n", "KEY = `a\ncanary = 1\n`\n",
      "-----BEGIN PRIVATE KEY-----\ncanary = 1\n-----END PRIVATE KEY-----\n");
  const auto lines = base::split(text, '\n').size() - 1;
  CHECK(changes("", text) == Lines{"a.conf: " + std::to_string(lines) + " lines added, 0 removed"});
  CHECK(changes(text, "A = 1\n") == Lines{"a.conf: 1 lines added, " + std::to_string(lines) + " removed"});
}

TEST_CASE("a name that could be a token is not shown, and not the values below it either way") {
  CHECK(changes("", "f9a8c7e6b5d4: yes\n") == Lines{"a.conf:1: a setting added: yes"});
  CHECK(changes("keys:\n  f9a8c7e6: no\n", "keys:\n  f9a8c7e6: yes\n") ==
        Lines{"a.conf:2: a setting: no -> yes"});
  CHECK(changes("", "[Zm9vYmFyYmF6]\nport = 1\n") == Lines{"a.conf:2: a setting added: 1"});
  CHECK(changes("", "abcdefghijklmnopqrstuvwxyz = 1\n") == Lines{"a.conf:1: a setting added: 1"});
  CHECK(changes("", "db2.utf8_name-x = 1\n") == Lines{"a.conf:1: db2.utf8_name-x added: 1"});
}
