#include "core/cli/view.h"

#include <nlohmann/json.hpp>

#include "core/base/text.h"
#include "core/event/codec.h"
#include "tests/support/catch.h"
#include "tests/unit/cli/cli_fixture.h"

using namespace porter;
using namespace std::chrono_literals;
using cli::Detail;
using cli::Format;
using cli::Meter;

namespace {

constexpr const char* kEscape = "\x1b";

const event::Talk kWarning{event::Level::warning, "", "", "", "careful"};
const event::Failure kFailure{"a", "", 400, "error[P400] no"};

// Shows one of everything that may be coloured or move.
void show_all(cli::View& view) {
  view.handle(event::Progress{"web", "a", "sending", 1, 2});
  view.handle(kWarning);
  view.handle(kFailure);
  event::ModuleFinished end;
  end.host = "a";
  view.handle(end);
  end.outcome = event::Outcome::rolled_back;
  view.handle(end);
  view.handle(event::Output{"result"});
  view.pause();
}

// Without the moves of the cursor, which are no colours.
std::string without_moves(std::string text) {
  for (const char* move : {"\x1b[1A", "\x1b[2K"}) {
    for (std::size_t at = 0; (at = text.find(move)) != std::string::npos;)
      text.erase(at, 4);
  }
  return text;
}

}  // namespace

TEST_CASE("a meter tells rate and time left once there is something to go by", "[view]") {
  Meter meter;
  const Meter::Clock::time_point start{};
  meter.update({"web", "a", "sending", 0, 4U << 20U}, start);
  CHECK(meter.text() == "a web sending 0 B of 4.0 MiB");
  meter.update({"web", "a", "sending", 1U << 20U, 4U << 20U}, start + 100ms);
  CHECK(meter.text() == "a web sending 1.0 MiB of 4.0 MiB");  // too early
  meter.update({"web", "a", "sending", 2U << 20U, 4U << 20U}, start + 2s);
  CHECK(meter.text() == "a web sending 2.0 MiB of 4.0 MiB, 1.0 MiB/s, " + base::format_seconds(2) + " left");
  meter.update({"web", "a", "sending", 4U << 20U, 4U << 20U}, start + 4s);
  CHECK(meter.text() == "a web sending 4.0 MiB of 4.0 MiB, 1.0 MiB/s, " + base::format_seconds(0) + " left");
}

TEST_CASE("a meter begins anew with the next module, and never counts below nothing left", "[view]") {
  Meter meter;
  const Meter::Clock::time_point start{};
  meter.update({"one", "a", "sending", 1000, 1000}, start);
  meter.update({"two", "a", "sending", 1000, 2000}, start + 10s);
  CHECK(meter.text() == "a two sending 1000 B of 2.0 KiB");
  meter.update({"two", "a", "sending", 3000, 2000}, start + 11s);
  CHECK(meter.text().ends_with(base::format_seconds(0) + " left"));
}

TEST_CASE("off a terminal there are lines and nothing that moves or glows", "[view]") {
  tests::TestWorld here;
  const auto view = cli::make_view(here.world, Format::people, Detail::normal);
  show_all(*view);
  CHECK(here.out.str() == "result\n");
  CHECK(here.err.str().find(kEscape) == std::string::npos);
  CHECK(
      here.err.str().starts_with("warning: careful\na: error[P400] no\n"));  // progress is not for every byte
}

TEST_CASE("a terminal that cannot move its cursor gets lines", "[view]") {
  tests::TestWorld here;
  here.world.err_is_terminal = true;
  here.world.environment["TERM"] = "dumb";
  show_all(*cli::make_view(here.world, Format::people, Detail::normal));
  CHECK(here.err.str().find(kEscape) == std::string::npos);
}

TEST_CASE("a terminal gets colours, unless NO_COLOR is set", "[view]") {
  tests::TestWorld here;
  here.world.err_is_terminal = true;
  SECTION("colours") {
    show_all(*cli::make_view(here.world, Format::people, Detail::normal));
    CHECK(here.err.str().find("\x1b[31ma: error[P400] no\x1b[0m") != std::string::npos);
    CHECK(here.err.str().find("\x1b[33mwarning: careful\x1b[0m") != std::string::npos);
    CHECK(here.err.str().find("\x1b[32ma: deployed") != std::string::npos);
    CHECK(here.err.str().find("\x1b[33ma: rolled back") != std::string::npos);
  }
  SECTION("none") {
    here.world.environment["NO_COLOR"] = "1";
    show_all(*cli::make_view(here.world, Format::people, Detail::normal));
    CHECK(here.err.str().find(kEscape) != std::string::npos);  // lines still move
    CHECK(without_moves(here.err.str()).find(kEscape) == std::string::npos);
  }
}

TEST_CASE("a moving line is taken away before anything else is written", "[view]") {
  tests::TestWorld here;
  here.world.err_is_terminal = true;
  const auto view = cli::make_view(here.world, Format::people, Detail::normal);
  view->handle(event::Progress{"web", "a", "sending", 0, 2});
  CHECK(here.err.str() == "a web sending 0 B of 2 B\n");
  here.err.str("");
  view->pause();
  CHECK(here.err.str() == "\x1b[1A\x1b[2K");
  here.err.str("");
  view->pause();
  CHECK(here.err.str().empty());
}

TEST_CASE("a line is cut to the terminal, and never inside a character", "[view]") {
  tests::TestWorld here;
  here.world.err_is_terminal = true;
  here.world.terminal_width = 24;
  for (const std::string pad : {"", "x", "xx"}) {
    here.err.str("");
    const auto view = cli::make_view(here.world, Format::people, Detail::normal);
    view->handle(event::Progress{"web", pad + "äöüäöüäöüäöüäöü", "sending", 0, 2});
    const std::string line(base::trim(here.err.str()));
    CHECK(line.size() <= 23);
    CHECK(base::printable(line) == line);
  }
}

TEST_CASE("quiet keeps results, warnings and failures", "[view]") {
  tests::TestWorld here;
  here.world.err_is_terminal = true;
  here.world.environment["NO_COLOR"] = "1";
  show_all(*cli::make_view(here.world, Format::people, Detail::quiet));
  CHECK(here.err.str() == "warning: careful\na: error[P400] no\n");
  CHECK(here.out.str() == "result\n");
}

TEST_CASE("--json gives every event as one line, and failures to people, too", "[view]") {
  tests::TestWorld here;
  here.world.err_is_terminal = true;
  const auto view = cli::make_view(here.world, Format::json, Detail::normal);
  const std::vector<event::Event> all = {event::Progress{"m", "a", "sending", 1, 2}, kWarning, kFailure,
                                         event::Output{"two\nlines"}, event::RunFinished{5, "no", 1, "", ""}};
  for (const event::Event& each : all)
    view->handle(each);
  const auto lines = base::split(base::trim(here.out.str()), '\n');
  REQUIRE(lines.size() == all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto object = nlohmann::json::parse(lines[i]);
    CHECK(object.at("event") == event::name_of(all[i]));
    CHECK(object.at("time") == "2026-11-21T07:05:09.000000Z");
  }
  CHECK(here.err.str() == "a: error[P400] no\n");
}
