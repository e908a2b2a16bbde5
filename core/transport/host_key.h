#pragma once
// A server's public key as it is shown and stored. A value.

#include <string>

namespace porter::transport {

struct HostKey {
  std::string type;         // "ssh-ed25519"
  std::string blob;         // base64, as known_hosts files hold it
  std::string fingerprint;  // "SHA256:…"
};

// Fills in the fingerprint. Throws Error(bad_value) when `blob` is no base64.
HostKey make_host_key(std::string type, std::string blob);

}  // namespace porter::transport
