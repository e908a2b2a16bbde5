// The small parts: requests and ids, the shield, and work for many at once.

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <regex>
#include <set>
#include <stdexcept>

#include "core/base/fd.h"
#include "core/engine/parallel.h"
#include "core/engine/request.h"
#include "core/engine/shield.h"
#include "tests/support/catch.h"
#include "tests/support/error_of.h"

using namespace porter;
using namespace porter::engine;

TEST_CASE("a request comes back from its bytes as it was") {
  Request request;
  request.action = Action::run;
  request.run_id = make_run_id();
  request.directory = "/home/ann/my shop";
  request.modules = {"root", "workers"};
  request.with_dependencies = false;
  request.hosts = {"web[01:20]", "!web03"};
  request.config = "testing";
  request.ref = "next";
  request.force_all = true;
  request.force = {"root"};
  request.dry_run = true;
  request.adopt = true;
  request.yes = true;
  request.interactive = true;
  request.message = "a \"quoted\"\nmessage, für alle";
  request.known_hosts = "known";
  request.debug = {"stats"};
  request.plugin_path = {"one", "two"};
  request.plugin_arguments = {{"poke", ""}, {"level", "3"}};
  request.command = {"ls", "-l", ""};
  request.lock_wait_seconds = 90;
  request.overwrite_drift = true;
  request.plan_out = "out.json";
  request.plan_file = "plan.json";
  request.detailed_exit_code = true;
  request.to_release = "20261121T070509Z-1f2e";
  request.mark_release = "20261121T070509Z-1f2f";
  request.mark = "pin";
  request.limit = 7;

  const Request back = decode_request(encode(request));
  CHECK(back.action == request.action);
  CHECK(back.run_id == request.run_id);
  CHECK(back.directory == request.directory);
  CHECK(back.modules == request.modules);
  CHECK(back.with_dependencies == request.with_dependencies);
  CHECK(back.hosts == request.hosts);
  CHECK(back.config == request.config);
  CHECK(back.ref == request.ref);
  CHECK(back.force_all == request.force_all);
  CHECK(back.force == request.force);
  CHECK(back.dry_run == request.dry_run);
  CHECK(back.adopt == request.adopt);
  CHECK(back.yes == request.yes);
  CHECK(back.interactive == request.interactive);
  CHECK(back.message == request.message);
  CHECK(back.known_hosts == request.known_hosts);
  CHECK(back.debug == request.debug);
  CHECK(back.plugin_path == request.plugin_path);
  CHECK(back.plugin_arguments == request.plugin_arguments);
  CHECK(back.command == request.command);
  CHECK(back.lock_wait_seconds == request.lock_wait_seconds);
  CHECK(back.overwrite_drift == request.overwrite_drift);
  CHECK(back.plan_out == request.plan_out);
  CHECK(back.plan_file == request.plan_file);
  CHECK(back.detailed_exit_code == request.detailed_exit_code);
  CHECK(back.to_release == request.to_release);
  CHECK(back.mark_release == request.mark_release);
  CHECK(back.mark == request.mark);
  CHECK(back.limit == request.limit);
}

TEST_CASE("what a request holds need not be UTF-8") {
  Request request;
  request.directory = "/home/ann/caf\xe9";
  request.message = std::string("\xff\x00\x80", 3);
  request.command = {"touch", "\xc3"};
  request.plugin_arguments = {{"na\xefve", "\xfe"}};
  const Request back = decode_request(encode(request));
  CHECK(back.directory == request.directory);
  CHECK(back.message == request.message);
  CHECK(back.command == request.command);
  CHECK(back.plugin_arguments == request.plugin_arguments);
}

TEST_CASE("bytes that are no request are refused as such") {
  const std::string whole = encode(Request());
  const std::string bad = GENERATE_COPY(std::string(), std::string("{}"), std::string("nonsense"),
                                        whole.substr(0, whole.size() / 2), whole + "x");
  CHECK(tests::error_of([&] { decode_request(bad); }).code() == base::Code::protocol);
}

TEST_CASE("a run id is a time and four random digits") {
  const std::string id = make_run_id();
  CHECK(std::regex_match(id, std::regex(R"(\d{8}T\d{6}Z-[0-9a-f]{4})")));
  std::set<std::string> ends;
  for (int i = 0; i < 50; ++i)
    ends.insert(make_run_id().substr(id.size() - 4));
  CHECK(ends.size() > 10);
}

TEST_CASE("a release id is the run's with eight digits of the commit inside") {
  CHECK(make_release_id("20261121T070509Z-1f2e", "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d") ==
        "20261121T070509Z-1a2b3c4d-1f2e");
  CHECK(make_release_id("20261121T070509Z-1f2e", "abc") == "20261121T070509Z-abc00000-1f2e");
  CHECK(make_release_id("20261121T070509Z-1f2e", "") == "20261121T070509Z-00000000-1f2e");
}

TEST_CASE("before the barrier a stop ends the waits") {
  const base::CancelToken user;
  Shield shield(user);
  CHECK_FALSE(shield.waits().cancelled());
  user.cancel();
  base::wait_readable(shield.waits().descriptor(), base::Deadline::in(std::chrono::seconds(30)), {});
  CHECK(shield.waits().cancelled());
  CHECK_THROWS_AS(shield.raise(), base::Interrupted);
}

TEST_CASE("behind the barrier a stop is seen and ends no wait") {
  const base::CancelToken user;
  base::CancelToken waits;
  {
    Shield shield(user);
    waits = shield.waits();
    shield.raise();
    user.cancel();
    CHECK(shield.user().cancelled());
  }
  // The watcher has ended with the shield, so nothing is still on its way.
  CHECK_FALSE(waits.cancelled());
}

TEST_CASE("everybody is served, and never more at once than the cap") {
  constexpr std::size_t kMost = 3;
  std::vector<std::atomic<int>> served(20);
  std::vector<std::atomic<int>*> items;
  for (auto& item : served)
    items.push_back(&item);
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t inside = 0;
  std::size_t highest = 0;
  std::size_t begun = 0;
  for_each_at_once<std::atomic<int>>(
      items,
      [&](std::atomic<int>& item) {
        std::unique_lock lock(mutex);
        highest = std::max(highest, ++inside);
        ++begun;
        changed.notify_all();
        // The first ones wait for each other: the cap is reached, or this never ends.
        changed.wait(lock, [&] { return begun >= kMost; });
        ++item;
        --inside;
      },
      kMost);
  CHECK(highest == kMost);
  for (const auto& item : served)
    CHECK(item == 1);
}

TEST_CASE("one item is served on the caller's own thread, and none is no work") {
  int item = 0;
  std::thread::id where;
  for_each_at_once<int>({&item}, [&](int&) { where = std::this_thread::get_id(); });
  CHECK(where == std::this_thread::get_id());
  for_each_at_once<int>({}, [&](int&) { FAIL("nobody is there"); });
}

TEST_CASE("what one piece of work throws is thrown when all are done") {
  std::vector<std::atomic<int>> numbers(5);
  std::vector<std::atomic<int>*> items;
  for (std::atomic<int>& number : numbers)
    items.push_back(&number);
  const auto work = [&](std::atomic<int>& item) {
    ++item;
    if (&item == items[1]) throw std::runtime_error("the second one");
  };
  CHECK_THROWS_WITH(for_each_at_once<std::atomic<int>>(items, work, 2), "the second one");
  CHECK(std::all_of(numbers.begin(), numbers.end(),
                    [](const std::atomic<int>& number) { return number == 1; }));
}
