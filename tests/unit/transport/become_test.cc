#include "core/transport/become.h"

#include "tests/support/catch.h"

using namespace porter;
using namespace porter::transport;

TEST_CASE("becoming another user puts sudo in front and a -- before the program", "[become]") {
  CHECK(become_without_password("www-data", {"agent", "--serve"}) ==
        std::vector<std::string>{"sudo", "-n", "-u", "www-data", "--", "agent", "--serve"});
  CHECK(become_with_password("web", {"agent"}) ==
        std::vector<std::string>{"sudo", "-k", "-S", "-p", "", "-u", "web", "--", "agent"});
}

TEST_CASE("a user name that could be an option or shell text is refused", "[become]") {
  CHECK_THROWS_AS(become_without_password("-s", {"agent"}), base::Error);
  CHECK_THROWS_AS(become_without_password("a;b", {"agent"}), base::Error);
  CHECK_THROWS_AS(become_without_password("", {"agent"}), base::Error);
}

TEST_CASE("sudo's refusals are explained", "[become]") {
  const auto explain = [](std::string_view text) {
    return explain_become_failure("testing", "web", "/opt/agent", text);
  };
  const auto password = explain("motd\nsudo: a password is required\n");
  REQUIRE(password);
  CHECK(password->code() == base::Code::become);
  CHECK(password->message() ==
        "testing: cannot become web: sudo wants a password (sudo: a password is required)");
  CHECK(password->hint_text().find("NOPASSWD: /opt/agent") != std::string::npos);

  CHECK(explain("bash: line 1: sudo: command not found")->message().find("not installed") !=
        std::string::npos);
  CHECK(explain("sh: 1: sudo: not found")->message().find("not installed") != std::string::npos);
  CHECK(explain("deploy is not in the sudoers file.")->message().find("may not use sudo") !=
        std::string::npos);
  CHECK(explain("Sorry, user deploy is not allowed to execute '/opt/agent' as web on host.")->code() ==
        base::Code::become);
  CHECK(explain("sudo: unknown user: web")->message().find("does not exist") != std::string::npos);
}

TEST_CASE("text that is not sudo's is not explained as such", "[become]") {
  CHECK_FALSE(explain_become_failure("testing", "web", "agent", "agent: a password is required"));
  CHECK_FALSE(explain_become_failure("testing", "web", "agent", ""));
}
