// Words that name hosts: of project files ("user@host:port", ranges) and of the transport. What is accepted
// may stand in an argument list of ssh.

#include "core/settings/target.h"
#include "core/transport/host_pattern.h"
#include "core/transport/ssh_target.h"
#include "tests/fuzz/fuzz.h"

using namespace porter;
using fuzz::require;

namespace {

void check_target(std::string_view text) {
  const settings::Target target = settings::parse_target(text);
  require(target.local || settings::is_safe_address(target.address), "an accepted address is safe");
  require(target.user.empty() || settings::is_safe_name(target.user), "an accepted user is safe");
  require(target.port >= 1 && target.port <= 65535, "an accepted port is one");
  require(!target.address.starts_with('-') && !target.user.starts_with('-'), "nothing looks like an option");
}

void check_ssh_target(std::string_view text) {
  const transport::SshTarget target = transport::parse_ssh_target(text);
  transport::check_host_name(target.address);
  if (!target.user.empty()) transport::check_user_name(target.user);
  require(target.port >= 0 && target.port <= 65535, "an accepted port is one");
  require(!fuzz::has_control(transport::describe(target)), "a host is described in one line");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::bytes_of(data, size);
  fuzz::accepts({base::Code::bad_value}, [&] { check_target(text); });
  fuzz::accepts({base::Code::bad_value}, [&] { check_ssh_target(text); });
  fuzz::accepts({base::Code::bad_value}, [&] {
    const auto all = settings::expand_ranges(text);
    require(!all.empty() && all.size() <= 10'000, "a range makes 1 to 10,000 names");
  });
  const std::size_t half = size / 2;
  transport::host_pattern_matches(text.substr(0, half), text.substr(half));
  return 0;
}
