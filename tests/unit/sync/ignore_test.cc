#include "core/sync/ignore.h"

#include "core/base/error.h"
#include "tests/support/catch.h"

using namespace porter;
using namespace porter::sync;

namespace {

bool ignored(std::string_view rules, std::string_view path, Kind kind = Kind::file) {
  IgnoreRules set;
  set.add_file(rules, ".porterignore");
  return set.ignores(path, kind);
}

}  // namespace

TEST_CASE("ignore rules match what gitignore's would") {
  struct Row {
    const char* rules;
    const char* path;
    Kind kind;
    bool expected;
  };
  const Kind file = Kind::file;
  const Kind folder = Kind::folder;
  const Row rows[] = {
      {"*.log", "a.log", file, true},
      {"*.log", "deep/er/a.log", file, true},
      {"*.log", "a.log.txt", file, false},
      {"*.log", ".log", file, true},
      {"/a", "a", file, true},
      {"/a", "b/a", file, false},
      {"a/b", "a/b", file, true},
      {"a/b", "x/a/b", file, false},
      {"a/", "a", folder, true},
      {"a/", "a", file, false},
      {"a/", "x/a", folder, true},
      {"a/b/", "a/b", folder, true},
      {"a/b/", "x/a/b", folder, false},
      {"**/a/b", "x/y/a/b", file, true},
      {"**/a/b", "a/b", file, true},
      {"**/a", "a", file, true},
      {"a/**", "a/x/y", file, true},
      {"a/**", "a", folder, false},
      {"a/**/b", "a/b", file, true},
      {"a/**/b", "a/x/y/b", file, true},
      {"a/**/b", "a/x/y/c", file, false},
      {"a/*/b", "a/x/b", file, true},
      {"a/*/b", "a/x/y/b", file, false},
      {"a**b", "a-x-b", file, true},
      {"a/*", "a/x/y", file, false},
      {"?", "a", file, true},
      {"?", "ab", file, false},
      {"[a-c]x", "bx", file, true},
      {"[a-c]x", "dx", file, false},
      {"[!a-c]x", "dx", file, true},
      {"[^a-c]x", "ax", file, false},
      {"[]]x", "]x", file, true},
      {"[a-]x", "-x", file, true},
      {"[\\]]x", "]x", file, true},
      {"\\*", "*", file, true},
      {"\\*", "a", file, false},
      {"\\#a", "#a", file, true},
      {"\\!a", "!a", file, true},
      {"# a comment\n\n  \na", "a", file, true},
      {"#a", "#a", file, false},
      {"a  ", "a", file, true},
      {"a\\ ", "a ", file, true},
      {" a", " a", file, true},
      {"a\r\nb\r\n", "a", file, true},
      {"*.log\n!keep.log", "keep.log", file, false},
      {"*.log\n!keep.log", "x/keep.log", file, false},
      {"!keep.log\n*.log", "keep.log", file, true},
      {"*.log\n!/keep.log", "x/keep.log", file, true},
      {"caf\xC3\xA9", "caf\xC3\xA9", file, true},
      {"*\xFF", "a\xFF", file, true},
      {"*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", file,
       false},
      {"-rf", "-rf", file, true},
      {"a", "b", Kind::link, false},
      {"a", "a", Kind::link, true},
      {"a/", "a", Kind::link, false},
      {"x\ny", "y", file, true},
  };
  for (const Row& row : rows) {
    INFO("rules \"" << row.rules << "\" path \"" << row.path << "\"");
    CHECK(ignored(row.rules, row.path, row.kind) == row.expected);
  }
}

TEST_CASE("git's own files are left out by default, anywhere, and can be taken back") {
  IgnoreRules rules = IgnoreRules::standard();
  for (const char* path :
       {".git", "sub/.git", ".gitmodules", ".gitattributes", "a/.gitignore", ".porterignore"})
    CHECK(rules.ignores(path, Kind::file));
  CHECK(rules.ignores(".git", Kind::folder));
  CHECK_FALSE(rules.ignores("a/.porterignore", Kind::file));
  CHECK_FALSE(rules.ignores(".github", Kind::folder));
  rules.add("!.gitignore", "[module] exclude");
  CHECK_FALSE(rules.ignores("a/.gitignore", Kind::file));
}

TEST_CASE("a pattern that cannot be meant is an error with its line") {
  IgnoreRules rules;
  try {
    rules.add_file("ok\n[a-\n", "src/.porterignore");
    FAIL("accepted");
  } catch (const base::Error& error) {
    CHECK(error.code() == base::Code::bad_value);
    CHECK(error.where().file == "src/.porterignore");
    CHECK(error.where().line == 2);
    CHECK(error.message() == "ignore pattern \"[a-\": '[' without its ']'");
  }
  CHECK_THROWS_AS(rules.add("/", "x"), base::Error);
  CHECK_THROWS_AS(rules.add("!", "x"), base::Error);
}

TEST_CASE("patterns made to be slow are not") {
  std::string pattern;
  std::string path = "a";
  for (int i = 0; i < 60; ++i) {
    pattern += "**/a/";
    path += "/a";
  }
  CHECK_FALSE(ignored(pattern + "b", path));
}
