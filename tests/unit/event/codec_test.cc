#include "core/event/codec.h"

#include "core/base/error.h"
#include "core/event/reply.h"
#include "tests/support/catch.h"
#include "tests/support/error_of.h"

using namespace porter;
using event::Event;

namespace {

// Two events are the same when they read the same.
std::string text_of(const Event& event) {
  return event::encode(event, base::WallTime());
}

}  // namespace

TEST_CASE("every kind of event survives the way through JSON", "[event]") {
  const std::vector<Event> all = {
      event::RunStarted{"r1", "deploy", "p", "testing", "stable", "why", "ada@here", {"a", "b"}, {"m"}},
      event::ModulePinned{"m", "1a2b3c4d (tag 1.0)", "1a2b"},
      event::HostConnected{"a", "local", 0.5},
      event::Planned{"m", "a", false, 1, 2, 3, 4, {"+ x"}, "v", "r0", {"+a"}, {"SIG_DEPLOY: plugin x"}, true},
      event::SignalStarted{"SIG_DEPLOY_START", "m", "a", "acme.audit", "plugin acme.audit 1.0"},
      event::SignalFired{"SIG_DEPLOY_START", "m", "a", "acme.audit", 0.1, true},
      event::Progress{"m", "a", "sending", 1, 2},
      event::Talk{event::Level::warning, "acme.audit", "m", "a", "text"},
      event::Output{"line"},
      event::ModuleFinished{"m", "a", event::Outcome::rolled_back, "id", "v", 1, 2, 3, 4, 5, 6, 7, 0.5},
      event::SiteStatus{"m", "a", "/p", "r1", "v", "1a2b", "testing", "2026", "ada@here", "why", 1, 2, {"n"}},
      event::ReleaseFound{"m", "a", "r1", "v", "1a2b", "2026", "ada@here", "why", true, true, "broken"},
      event::HistoryFound{"m", "a", "2026", "commit", "r1", "r0", "run", "ada@here", "v", "testing", "why"},
      event::DriftFound{"m", "a", "changed", "x", "content"},
      event::Checked{"a", "m", "disk", "problem", "full", "free some"},
      event::Failure{"a", "m", 212, "error[P212] …"},
      event::Question{7, event::QuestionKind::secret, "Password: "},
      event::RunFinished{6, "cause", 1.5, "/log", "porter-admin resume 1"},
  };
  REQUIRE(all.size() == std::variant_size_v<Event>);
  for (const Event& event : all) {
    const std::string line = text_of(event);
    INFO(line);
    CHECK(line.find('\n') == std::string::npos);
    CHECK(text_of(event::decode(line)) == line);
  }
}

TEST_CASE("the end of a run says where its log is and how to go on", "[event]") {
  const auto end = std::get<event::RunFinished>(
      event::decode(text_of(event::RunFinished{5, "cause", 1, "/logs/run", "porter-admin resume run"})));
  CHECK(end.log == "/logs/run");
  CHECK(end.resume == "porter-admin resume run");
}

TEST_CASE("what is no event is refused", "[event]") {
  CHECK_THROWS_AS(event::decode("{}"), base::Error);
  CHECK_THROWS_AS(event::decode("{\"event\":\"no_such\"}"), base::Error);
  CHECK_THROWS_AS(event::decode("{\"event\":\"output\"}"), base::Error);
  CHECK_THROWS_AS(event::decode("nonsense"), base::Error);
}

TEST_CASE("bytes that are no UTF-8 do not break the stream", "[event]") {
  const std::string line =
      text_of(event::Output{"a\xff"
                            "b"});
  CHECK_NOTHROW(event::decode(line));
}

TEST_CASE("a number beyond its field is refused, not converted", "[event]") {
  const auto question = [](const std::string& id) {
    return R"({"event":"question","id":)" + id + R"(,"kind":"confirm","text":""})";
  };
  const auto finished = [](const std::string& code) {
    return R"({"event":"run_finished","exit_code":)" + code +
           R"(,"cause":"","seconds":1,"log":"","resume":""})";
  };
  CHECK_NOTHROW(event::decode(question("18446744073709551615")));
  CHECK_NOTHROW(event::decode(finished("-1")));
  for (const std::string number : {"3333333333333333333330", "-1", "1.5"})
    CHECK(tests::error_of([&] { event::decode(question(number)); }).code() == base::Code::protocol);
  for (const std::string number : {"2147483648", "-2147483649", "18446744073709551615", "1e300"})
    CHECK(tests::error_of([&] { event::decode(finished(number)); }).code() == base::Code::protocol);
  for (const std::string number : {"3333333333333333333330", "-1"})
    CHECK(tests::error_of([&] { event::decode_reply(R"({"answer":)" + number + "}"); }).code() ==
          base::Code::protocol);
}
