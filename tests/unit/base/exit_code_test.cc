#include "core/base/exit_code.h"

#include <map>
#include <set>

#include "tests/support/catch.h"

using namespace porter::base;

namespace {

// Every code with its exit code. exit_code_for() is a switch without a default, which the compiler holds
// against the enumeration; what is added there belongs here, too.
const std::map<Code, ExitCode> kTable = {
    {Code::internal, ExitCode::internal},
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
    {Code::io, ExitCode::nothing_activated},
    {Code::locked, ExitCode::locked},
    {Code::plugin_refused, ExitCode::plugin_refused},
    {Code::plugin_failed, ExitCode::nothing_activated},
    {Code::report, ExitCode::internal},
};

}  // namespace

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
