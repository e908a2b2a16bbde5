#pragma once
// An SSH server of the library's own for one login: it takes passwords and asks questions, which a throw-away
// sshd cannot without accounts made for it, and tells what it was asked. Serves one connection on a thread of
// its own.

#include <libssh/libssh.h>

#include <atomic>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace porter::tests {

class TalkingServer {
 public:
  // What it takes: key takes any, nothing needs no proof.
  enum class Login { password, questions, key, nothing };

  // `host_key` is a private key file. Questions: "Colour" (shown) and "Secret" (hidden).
  TalkingServer(const std::filesystem::path& host_key, Login login);
  ~TalkingServer();
  TalkingServer(const TalkingServer&) = delete;
  TalkingServer& operator=(const TalkingServer&) = delete;

  int port() const { return port_; }
  // Every request to log in, in order: "none", "key" (would it be taken?), "signed key", "password",
  // "questions".
  std::vector<std::string> asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

  static constexpr const char* password = "pass word";
  static constexpr const char* colour = "green";

 private:
  void serve(int fd);
  bool answer(ssh_session session, ssh_message message);
  void note(ssh_message message);

  std::filesystem::path host_key_;
  Login login_;
  mutable std::mutex mutex_;
  std::vector<std::string> asked_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> leaving_ = false;
  std::thread thread_;
};

}  // namespace porter::tests
