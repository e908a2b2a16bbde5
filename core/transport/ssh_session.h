#pragma once
// The library's objects with an owner, and its answers as our errors. Every answer that is not a plain
// success is taken for a failure. Internal to this room.

#include <libssh/libssh.h>

#include <memory>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace porter::transport {

struct SessionDeleter {
  void operator()(ssh_session session) const { ::ssh_free(session); }
};
using SessionPtr = std::unique_ptr<ssh_session_struct, SessionDeleter>;

struct KeyDeleter {
  void operator()(ssh_key key) const { ::ssh_key_free(key); }
};
using KeyPtr = std::unique_ptr<ssh_key_struct, KeyDeleter>;

// What was being done when the library refused; decides the code.
enum class SshStep {
  connecting,  // key exchange included: unreachable
  logging_in,  // authentication, or unreachable when the connection is gone
  running,     // unreachable
};

// "testing (deploy@127.0.0.1:2222): cannot log in: <the library's words>".
base::Error ssh_error(ssh_session session, std::string_view where, SshStep step);

// Whether the connection can still be used: the library may know of its end in several ways.
bool is_alive(ssh_session session);

// A new non-blocking session that reads no configuration file and no known_hosts, prefers the cipher that is
// the faster one on this processor, and is told nothing but the host's name (for messages of its own).
SessionPtr make_session(const std::string& host, const std::string& user);

}  // namespace porter::transport
