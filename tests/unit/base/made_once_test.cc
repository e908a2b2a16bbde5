#include "core/base/made_once.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "core/base/error.h"
#include "tests/support/catch.h"

using namespace porter;

namespace {

base::Digest key(const char* text) {
  return base::sha256(text);
}

}  // namespace

TEST_CASE("what many threads want is made by one of them", "[made_once]") {
  base::MadeOnce<std::string> made(1000);
  std::atomic<int> makers{0};
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i)
    threads.emplace_back([&] {
      const auto value = made.get(key("a"), {}, [&] {
        ++makers;
        return std::string("value");
      });
      if (*value == "value") ++right;
    });
  for (std::thread& thread : threads)
    thread.join();
  CHECK(makers == 1);
  CHECK(right == 16);
  CHECK(*made.get(key("b"), {}, [] { return std::string("other"); }) == "other");
}

TEST_CASE("a failure is for who made it alone: the others make their own", "[made_once]") {
  base::MadeOnce<std::string> made(1000);
  const auto fail = []() -> std::string { throw base::Error(base::Code::io, "no"); };
  CHECK_THROWS_AS(made.get(key("a"), {}, fail), base::Error);
  CHECK_THROWS_AS(made.get(key("a"), {}, fail), base::Error);
  CHECK(*made.get(key("a"), {}, [] { return std::string("mine"); }) == "mine");
}

TEST_CASE("what does not fit is made anew", "[made_once]") {
  base::MadeOnce<std::string> made(10);
  int makers = 0;
  const auto make = [&] {
    ++makers;
    return std::string(8, 'x');
  };
  for (int i = 0; i < 2; ++i) {
    CHECK(made.get(key("a"), {}, make)->size() == 8);
    CHECK(made.get(key("b"), {}, make)->size() == 8);
  }
  CHECK(makers == 3);
}

TEST_CASE("whoever waits for a value can be called off", "[made_once]") {
  base::MadeOnce<std::string> made(1000);
  const base::CancelToken let_go;
  const base::CancelToken stop;
  std::atomic<bool> making{false};
  std::thread slow([&] {
    made.get(key("a"), {}, [&] {
      making = true;
      while (!let_go.cancelled())
        std::this_thread::yield();
      return std::string();
    });
  });
  while (!making)
    std::this_thread::yield();
  stop.cancel();
  CHECK_THROWS_AS(made.get(key("a"), stop, [] { return std::string(); }), base::Interrupted);
  let_go.cancel();
  slow.join();
}
