#include <random>

#include "core/endpoint/outlet.h"
#include "tests/support/catch.h"

using namespace porter;
using endpoint::Backlog;

namespace {

std::string take_all(Backlog& backlog, std::size_t at_once) {
  std::string all;
  while (backlog.size() > 0) {
    const std::string_view next = backlog.ready().substr(0, at_once);
    all += next;
    backlog.drop(next.size());
  }
  return all;
}

}  // namespace

TEST_CASE("what waits comes out as it went in, however it was cut", "[outlet]") {
  std::mt19937_64 random(7);
  std::string expected;
  Backlog backlog;
  std::string found;
  for (int round = 0; round < 300; ++round) {
    std::string bytes(random() % 5 == 0 ? random() % 300'000 : random() % 300, '\0');
    for (char& byte : bytes)
      byte = static_cast<char>(random());
    expected += bytes;
    backlog.add(std::move(bytes));
    CHECK(backlog.size() == expected.size() - found.size());
    const std::string_view some = backlog.ready().substr(0, random() % 100'000);
    found += some;
    backlog.drop(some.size());
  }
  found += take_all(backlog, 4099);
  CHECK((found == expected));
  CHECK(backlog.ready().empty());
}

TEST_CASE("more than the first piece of what waits may be dropped at once", "[outlet]") {
  Backlog backlog;
  backlog.add(std::string(100'000, 'a'));
  backlog.add(std::string(100'000, 'b'));
  backlog.add(std::string(100'000, 'c'));
  backlog.drop(1);
  backlog.drop(250'000);
  CHECK((take_all(backlog, 1'000'000) == std::string(49'999, 'c')));
}

TEST_CASE("what is small leaves together, and nothing is held of what has left", "[outlet]") {
  Backlog backlog;
  for (int i = 0; i < 100; ++i)
    backlog.add("frame");
  CHECK(backlog.ready().size() == 500);
  backlog.add(std::string(200'000, 'x'));
  CHECK(backlog.ready().size() == 500);
  backlog.drop(500);
  CHECK(backlog.ready().size() == 200'000);
  backlog.drop(200'000);
  CHECK(backlog.size() == 0);
  CHECK(backlog.ready().empty());
}
