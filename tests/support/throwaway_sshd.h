#pragma once
// A real sshd on 127.0.0.1 for one test: fresh host and user keys in a temporary folder, a free port, stopped
// by pid when the object goes. Works as root and as an ordinary user (who can then log in as themselves
// only). Not a test of ours: it is the far end.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/base/files.h"
#include "core/base/subprocess.h"

namespace porter::tests {

struct SshdOptions {
  std::vector<std::string> extra_lines;  // for sshd_config, in front of ours (the first value counts in sshd)
};

class ThrowawaySshd {
 public:
  using Options = SshdOptions;

  // Throws when it does not come up; see sshd_available().
  explicit ThrowawaySshd(const SshdOptions& options = {});
  ~ThrowawaySshd();
  ThrowawaySshd(const ThrowawaySshd&) = delete;
  ThrowawaySshd& operator=(const ThrowawaySshd&) = delete;

  int port() const { return port_; }
  // Who may log in: the user that runs the test.
  const std::string& user() const { return user_; }
  // The key that is in authorized_keys, without a passphrase; its public half has ".pub" added.
  std::filesystem::path identity() const { return folder_.path() / "identity"; }
  std::filesystem::path host_key() const { return folder_.path() / "host_key"; }
  // A known_hosts file that knows the server; rewrite it at will.
  std::filesystem::path known_hosts() const { return folder_.path() / "known_hosts"; }
  std::filesystem::path authorized_keys() const { return folder_.path() / "authorized_keys"; }
  // A folder that goes with the object.
  const std::filesystem::path& folder() const { return folder_.path(); }
  // All that sshd wrote so far.
  std::string log() const;
  // Stops the listener and everything it serves, as a crash would.
  void kill();
  // Freezes (SIGSTOP) or thaws every process of it: a connection that is silently dropped, as seen from
  // outside.
  void freeze();
  void thaw();
  pid_t pid() const;

 private:
  void start(const SshdOptions& options);

  base::TemporaryFolder folder_;
  std::string user_;
  int port_ = 0;
  std::optional<base::Child> child_;
};

// False on a machine without sshd and ssh-keygen.
bool sshd_available();

}  // namespace porter::tests

// In the first line of a TEST_CASE: skips it loudly where there is no sshd.
#define PORTER_NEEDS_SSHD()                                      \
  do {                                                           \
    if (!::porter::tests::sshd_available()) {                    \
      WARN("SKIPPED: no sshd or no ssh-keygen on this machine"); \
      return;                                                    \
    }                                                            \
  } while (false)
