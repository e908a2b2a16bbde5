// known_hosts files. A key counts as known only when a line holds it, and never when a line revokes it.

#include "core/transport/known_hosts.h"
#include "tests/fuzz/fuzz.h"

using namespace porter;
using fuzz::require;
using Verdict = transport::KeyLookup::Verdict;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::bytes_of(data, size);
  transport::KnownHosts hosts;
  hosts.add(text, "known_hosts");
  const transport::HostKey key = transport::make_host_key("ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5");
  for (const int port : {22, 2222}) {
    hosts.types("host.example", port);
    const transport::KeyLookup found = hosts.look_up("host.example", port, key);
    require(found.expected.empty() == (found.verdict == Verdict::unknown), "a verdict names its lines");
    for (const transport::KnownKey& line : found.expected) {
      const bool same = line.blob == key.blob;
      require(same == (found.verdict != Verdict::changed), "a line of that key makes the verdict");
      require((line.mark == transport::KnownKey::Mark::revoked) == (found.verdict == Verdict::revoked),
              "a revoked key is never known");
    }
  }
  fuzz::accepts({base::Code::bad_value}, [&] { transport::make_host_key("ssh-ed25519", std::string(text)); });
  return 0;
}
