#include "plugins/sendpickedversions/requirements.h"

#include "tests/support/catch.h"

using namespace porter::sendpickedversions;
using porter::inventory::Requirement;
using Versions = std::map<std::string, std::string>;

TEST_CASE("Simple requirement lines give names, first specifiers and pins") {
  const Requirements found = parse_requirements(
      "# tools\n"
      "nose==1.2.1\r\n"
      "  zc.buildout >= 2.0.1 , <3   # why\n"
      "requests[socks]==2.31.0 ; python_version > '3'\n"
      "six\n"
      "old===1.0+local.1\n"
      "any==1.*\n"
      "two==1.0,!=1.0.post1\n"
      "paren (>=1.0)\n"
      "hashed==3 --hash=sha256:00\n"
      "more==4 \\\n"
      "    --hash=sha256:00\n"
      "nose==9\n"
      "last~=1.4");
  CHECK(found.asked == std::vector<Requirement>{{"nose", "==", "1.2.1"},
                                                {"zc.buildout", ">=", "2.0.1"},
                                                {"requests", "==", "2.31.0"},
                                                {"six", "", ""},
                                                {"old", "===", "1.0+local.1"},
                                                {"any", "==", "1.*"},
                                                {"two", "==", "1.0"},
                                                {"paren", ">=", "1.0"},
                                                {"hashed", "==", "3"},
                                                {"more", "==", "4"},
                                                {"last", "~=", "1.4"}});
  CHECK(
      found.pinned ==
      Versions{
          {"nose", "1.2.1"}, {"requests", "2.31.0"}, {"old", "1.0+local.1"}, {"hashed", "3"}, {"more", "4"}});
}

TEST_CASE("Lines that are no simple requirement are left out") {
  const Requirements found = parse_requirements(
      "-r other.txt\n--index-url https://ann:sesame@h/simple\n-e git+https://h/r.git#egg=x\n"
      "https://h/x.whl\nname @ https://h/x.whl\n./local\n==1\nname ==\nname == "
      "${X}\nname[open\n\n\x01\xff\n");
  CHECK(found.asked.empty());
  CHECK(found.pinned.empty());
  CHECK(parse_requirements("").asked.empty());
}

TEST_CASE("A versions file pins by = and ==, in its own section only") {
  CHECK(parse_versions("nose = 1.2.1\nsix==1.16.0\n# x = 1\nbad = a b\n") ==
        Versions{{"nose", "1.2.1"}, {"six", "1.16.0"}});
  CHECK(parse_versions("[buildout]\nparts = 1\n[versions]\nnose = 1.2.1\nempty =\n[other]\nsix = 2\n") ==
        Versions{{"nose", "1.2.1"}});
}
