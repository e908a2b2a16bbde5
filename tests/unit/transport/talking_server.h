#pragma once
// An SSH server of the library's own for one login: it takes passwords and asks questions, which a throw-away
// sshd cannot without accounts made for it. Serves one connection on a thread of its own.

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>

namespace porter::tests {

class TalkingServer {
 public:
  enum class Login { password, questions };

  // `host_key` is a private key file. Questions: "Colour" (shown) and "Secret" (hidden).
  TalkingServer(const std::filesystem::path& host_key, Login login);
  ~TalkingServer();
  TalkingServer(const TalkingServer&) = delete;
  TalkingServer& operator=(const TalkingServer&) = delete;

  int port() const { return port_; }

  static constexpr const char* password = "pass word";
  static constexpr const char* colour = "green";

 private:
  void serve(int fd) const;

  std::filesystem::path host_key_;
  Login login_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> leaving_ = false;
  std::thread thread_;
};

}  // namespace porter::tests
