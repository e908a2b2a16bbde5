#include "core/base/suggest.h"

#include "tests/support/catch.h"

using namespace porter::base;

TEST_CASE("the distance of words counts inserts, deletes, replacements and swaps", "[suggest]") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("deploy", "deploy") == 0);
  CHECK(edit_distance("depoly", "deploy") == 1);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("ca", "abc") == 3);  // optimal string alignment: no second edit of a swapped pair
}

TEST_CASE("what is near is suggested, and nothing else", "[suggest]") {
  const std::vector<std::string> known = {"deploy", "plugins", "hosts", "run"};
  CHECK(nearest("depoly", known) == "deploy");
  CHECK(nearest("host", known) == "hosts");
  CHECK(nearest("xylophone", known).empty());
  CHECK(nearest("xy", {"ab"}).empty());  // nothing in common
  CHECK(nearest("anything", {}).empty());
  CHECK(did_you_mean("rnu", known) == "did you mean \"run\"?");
  CHECK(did_you_mean("xylophone", known).empty());
}
