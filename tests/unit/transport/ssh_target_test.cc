#include "core/transport/ssh_target.h"

#include "core/base/error.h"
#include "tests/support/catch.h"

using namespace porter;
using namespace porter::transport;

TEST_CASE("a host is user, address and port, with brackets around IPv6", "[target]") {
  const SshTarget full = parse_ssh_target("deploy@testing-host.tld:2222");
  CHECK(full.user == "deploy");
  CHECK(full.address == "testing-host.tld");
  CHECK(full.port == 2222);
  CHECK(parse_ssh_target("[fe80::1%eth0]:22").address == "fe80::1%eth0");
  CHECK(parse_ssh_target("fe80::1").port == 0);
  CHECK(parse_ssh_target("web").user.empty());
}

TEST_CASE("names that could reach a shell or be options are refused", "[target]") {
  for (const char* bad :
       {"-oProxyCommand=x", "a b", "a;b", "$(id)", "a`id`", "a|b", "", "a\nb", "a'b", "-l@host", "u;x@host",
        "host:0", "host:65536", "host:ssh", "[::1", "[::1]x", "@host"}) {
    INFO(bad);
    CHECK_THROWS_AS(parse_ssh_target(bad), base::Error);
  }
  CHECK_THROWS_AS(check_host_name(std::string(256, 'a')), base::Error);
}

TEST_CASE("a target is described by what the user calls it and where it is", "[target]") {
  SshTarget target = parse_ssh_target("deploy@127.0.0.1:2222");
  target.name = "testing";
  CHECK(describe(target) == "testing (deploy@127.0.0.1:2222)");
  target = parse_ssh_target("web");
  CHECK(describe(target) == "web");
  target = parse_ssh_target("[::1]:22");
  CHECK(describe(target) == "::1 ([::1]:22)");
}
