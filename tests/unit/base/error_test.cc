#include "core/base/error.h"

#include <cerrno>

#include "tests/support/catch.h"
#include "tests/support/error_of.h"

using namespace porter::base;

TEST_CASE("an error is shown with its number, place, trail and hint", "[error]") {
  Error error = Error(Code::unknown_key, "unknown key \"tagret\"")
                    .at("root/root.ini", 12)
                    .hint("did you mean \"target\"?");
  error.add_trail("reading module root");
  error.add_trail("planning");
  CHECK(format_error(error) ==
        "error[P212] root/root.ini:12: unknown key \"tagret\"\n"
        "  while reading module root\n"
        "  while planning\n"
        "hint: did you mean \"target\"?");
}

TEST_CASE("an error shows only what it has", "[error]") {
  CHECK(format_error(Error(Code::internal, "it broke")) == "error[P100] it broke");
  CHECK(format_error(Error(Code::missing, "no such file").at("a.ini")) == "error[P214] a.ini: no such file");
}

TEST_CASE("an error cannot drive a terminal, whichever part of it came from outside", "[error]") {
  Error error = Error(Code::remote, "m\x1b[1m").at("f\x1b\n", 1).hint("h\x07");
  error.add_trail("t\r\n");
  CHECK(format_error(error) ==
        "error[P420] f\\x1b\\x0a:1: m\\x1b[1m\n"
        "  while t\\x0d\\x0a\n"
        "hint: h\\x07");
}

TEST_CASE("a failed system call says what it was about and why", "[error]") {
  const Error gone = system_error("/some/file", ENOENT);
  CHECK(gone.code() == Code::io);
  CHECK(gone.message() == "/some/file: No such file or directory");
  CHECK(system_error("x", ENOSPC).code() == Code::no_space);
  CHECK(system_error("x", EDQUOT).code() == Code::no_space);
  errno = EACCES;
  CHECK(porter::tests::error_of([] { throw_errno("door"); }).message() == "door: Permission denied");
}

TEST_CASE("what was being done is added to an error that passes, innermost first", "[error]") {
  const Error error = porter::tests::error_of([] {
    while_doing("outside", [] { while_doing("inside", []() -> int { throw Error(Code::io, "no"); }); });
  });
  CHECK(error.trail() == std::vector<std::string>{"inside", "outside"});
  CHECK(while_doing("adding", [] { return 1 + 1; }) == 2);
}

TEST_CASE("an interruption passes where errors are caught", "[error]") {
  static_assert(!std::is_base_of_v<Error, Interrupted>);
  CHECK_THROWS_AS(while_doing("working", [] { throw Interrupted(); }), Interrupted);
}

TEST_CASE("several errors speak with the voice of the first", "[error]") {
  const Errors errors({Error(Code::io, "first"), Error(Code::io, "second")});
  CHECK(std::string(errors.what()) == "first");
  CHECK(errors.all().size() == 2);
}
