#include "tests/unit/transport/talking_server.h"

#include <arpa/inet.h>
#include <libssh/libssh.h>
#include <libssh/server.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string_view>

namespace porter::tests {
namespace {

bool is(const char* text, std::string_view expected) {
  return text != nullptr && text == expected;
}

// Deprecated in favour of callbacks, which are far longer to write; this is the far end of a test.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
const char* password_in(ssh_message message) {
  return ::ssh_message_auth_password(message);
}
bool is_signed(ssh_message message) {
  return ::ssh_message_auth_publickey_state(message) == SSH_PUBLICKEY_STATE_VALID;
}
#pragma GCC diagnostic pop

// True when the message was the last one of a good login.
bool answer_password(ssh_message message) {
  if (::ssh_message_subtype(message) == SSH_AUTH_METHOD_PASSWORD &&
      is(password_in(message), TalkingServer::password)) {
    return ::ssh_message_auth_reply_success(message, 0) == SSH_OK;
  }
  ::ssh_message_auth_set_methods(message, SSH_AUTH_METHOD_PASSWORD);
  ::ssh_message_reply_default(message);
  return false;
}

bool answer_questions(ssh_session session, ssh_message message) {
  if (::ssh_message_subtype(message) == SSH_AUTH_METHOD_INTERACTIVE) {
    if (::ssh_message_auth_kbdint_is_response(message) == 0) {
      std::array<const char*, 2> prompts = {"Colour: ", "Secret: "};
      std::array<char, 2> shown = {1, 0};
      ::ssh_message_auth_interactive_request(message, "", "", 2, prompts.data(), shown.data());
      return false;
    }
    const bool right = ::ssh_userauth_kbdint_getnanswers(session) == 2 &&
                       is(::ssh_userauth_kbdint_getanswer(session, 0), TalkingServer::colour) &&
                       is(::ssh_userauth_kbdint_getanswer(session, 1), TalkingServer::password);
    if (right) return ::ssh_message_auth_reply_success(message, 0) == SSH_OK;
  }
  ::ssh_message_auth_set_methods(message, SSH_AUTH_METHOD_INTERACTIVE);
  ::ssh_message_reply_default(message);
  return false;
}

// Any signed key is a good one.
bool answer_key(ssh_message message) {
  if (::ssh_message_subtype(message) == SSH_AUTH_METHOD_PUBLICKEY) {
    if (is_signed(message)) return ::ssh_message_auth_reply_success(message, 0) == SSH_OK;
    ::ssh_message_auth_reply_pk_ok_simple(message);
    return false;
  }
  ::ssh_message_auth_set_methods(message, SSH_AUTH_METHOD_PUBLICKEY);
  ::ssh_message_reply_default(message);
  return false;
}

bool answer_nothing(ssh_message message) {
  if (::ssh_message_subtype(message) == SSH_AUTH_METHOD_NONE)
    return ::ssh_message_auth_reply_success(message, 0) == SSH_OK;
  ::ssh_message_auth_set_methods(message, SSH_AUTH_METHOD_PUBLICKEY);
  ::ssh_message_reply_default(message);
  return false;
}

}  // namespace

TalkingServer::TalkingServer(const std::filesystem::path& host_key, Login login)
    : host_key_(host_key), login_(login), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) != 0 || ::listen(listener_, 1) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    throw std::runtime_error(std::strerror(errno));
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0) serve(fd);
  });
}

TalkingServer::~TalkingServer() {
  leaving_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  thread_.join();
  ::close(listener_);
}

void TalkingServer::note(ssh_message message) {
  const int kind = ::ssh_message_subtype(message);
  const std::lock_guard lock(mutex_);
  if (kind == SSH_AUTH_METHOD_NONE) asked_.emplace_back("none");
  if (kind == SSH_AUTH_METHOD_PASSWORD) asked_.emplace_back("password");
  if (kind == SSH_AUTH_METHOD_INTERACTIVE) asked_.emplace_back("questions");
  if (kind == SSH_AUTH_METHOD_PUBLICKEY) asked_.emplace_back(is_signed(message) ? "signed key" : "key");
}

bool TalkingServer::answer(ssh_session session, ssh_message message) {
  note(message);
  switch (login_) {
    case Login::password:
      return answer_password(message);
    case Login::questions:
      return answer_questions(session, message);
    case Login::key:
      return answer_key(message);
    case Login::nothing:
      return answer_nothing(message);
  }
  return false;
}

void TalkingServer::serve(int fd) {
  ssh_bind bind = ::ssh_bind_new();
  ssh_session session = ::ssh_new();
  ::ssh_bind_options_set(bind, SSH_BIND_OPTIONS_HOSTKEY, host_key_.c_str());
  if (::ssh_bind_accept_fd(bind, session, fd) == SSH_OK && ::ssh_handle_key_exchange(session) == SSH_OK) {
    bool in = false;
    while (!in) {
      ssh_message message = ::ssh_message_get(session);
      if (message == nullptr) break;
      if (::ssh_message_type(message) != SSH_REQUEST_AUTH) {
        ::ssh_message_reply_default(message);
      } else {
        in = answer(session, message);
      }
      ::ssh_message_free(message);
    }
    while (in && !leaving_) {
      pollfd waiting = {::ssh_get_fd(session), POLLIN, 0};
      if (::poll(&waiting, 1, 20) != 0) break;
    }
  }
  ::ssh_disconnect(session);
  ::ssh_free(session);
  ::ssh_bind_free(bind);
}

}  // namespace porter::tests
