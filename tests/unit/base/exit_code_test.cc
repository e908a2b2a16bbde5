#include "core/base/exit_code.h"

#include <algorithm>
#include <map>

#include "core/base/files.h"
#include "tests/support/catch.h"

using namespace porter::base;

namespace {

// Every code with its exit code.
const std::map<Code, ExitCode> kTable = {
    {Code::internal, ExitCode::internal},
    {Code::interrupted, ExitCode::interrupted},
    {Code::usage, ExitCode::usage},
    {Code::ini_syntax, ExitCode::usage},
    {Code::unknown_section, ExitCode::usage},
    {Code::unknown_key, ExitCode::usage},
    {Code::bad_value, ExitCode::usage},
    {Code::missing, ExitCode::usage},
    {Code::cycle, ExitCode::usage},
    {Code::unsupported, ExitCode::usage},
    {Code::refused, ExitCode::usage},
    {Code::source, ExitCode::nothing_activated},
    {Code::unreachable, ExitCode::unreachable},
    {Code::host_key, ExitCode::unreachable},
    {Code::authentication, ExitCode::unreachable},
    {Code::become, ExitCode::unreachable},
    {Code::agent, ExitCode::nothing_activated},
    {Code::protocol, ExitCode::nothing_activated},
    {Code::timeout, ExitCode::nothing_activated},
    {Code::remote, ExitCode::nothing_activated},
    {Code::no_space, ExitCode::nothing_activated},
    {Code::frozen, ExitCode::refused},
    {Code::drifted, ExitCode::refused},
    {Code::stale_plan, ExitCode::refused},
    {Code::io, ExitCode::nothing_activated},
    {Code::locked, ExitCode::locked},
    {Code::plugin_refused, ExitCode::plugin_refused},
    {Code::plugin_failed, ExitCode::nothing_activated},
    {Code::report, ExitCode::internal},
};

// What error.h lists, counted in its text: a code that is added belongs into the table.
std::size_t codes_in_header() {
  const std::string header = read_file(PORTER_ERROR_HEADER);
  const std::size_t begin = header.find("enum class Code");
  const std::string body = header.substr(begin, header.find("};", begin) - begin);
  return static_cast<std::size_t>(std::count(body.begin(), body.end(), '='));
}

}  // namespace

TEST_CASE("the table of exit codes names every code there is", "[exit_code]") {
  CHECK(kTable.size() == codes_in_header());
}

TEST_CASE("every error that ends a run early has its exit code, and none is a success", "[exit_code]") {
  for (const auto& [code, expected] : kTable) {
    INFO(static_cast<int>(code));
    CHECK(exit_code_for(code) == expected);
    CHECK(exit_code_for(code) != ExitCode::ok);
  }
}

TEST_CASE("numbers of errors and exit codes never change", "[exit_code]") {
  CHECK(static_cast<int>(Code::internal) == 100);
  CHECK(static_cast<int>(Code::usage) == 200);
  CHECK(static_cast<int>(Code::unsupported) == 216);
  CHECK(static_cast<int>(Code::source) == 300);
  CHECK(static_cast<int>(Code::unreachable) == 400);
  CHECK(static_cast<int>(Code::agent) == 410);
  CHECK(static_cast<int>(Code::io) == 450);
  CHECK(static_cast<int>(Code::plugin_failed) == 501);
  CHECK(static_cast<int>(Code::report) == 600);
  CHECK(static_cast<int>(ExitCode::rolled_back) == 6);
  CHECK(static_cast<int>(ExitCode::refused) == 11);
  CHECK(static_cast<int>(ExitCode::interrupted) == 130);
}
