#include "core/transport/ssh_session.h"

#include <fmt/format.h>

#include <mutex>

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include "core/base/text.h"

namespace porter::transport {
namespace {

// Where the processor has AES, counter mode with a built-in check is 1.2 to 1.4 times as fast as chacha20;
// where it has not, far slower.
#define PORTER_AES_GCM "aes128-gcm@openssh.com,aes256-gcm@openssh.com"
#define PORTER_CHACHA "chacha20-poly1305@openssh.com"
#define PORTER_AES_CTR "aes256-ctr,aes192-ctr,aes128-ctr"
constexpr const char* aes_first = PORTER_AES_GCM "," PORTER_CHACHA "," PORTER_AES_CTR;
constexpr const char* chacha_first = PORTER_CHACHA "," PORTER_AES_GCM "," PORTER_AES_CTR;

bool processor_has_aes() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("aes") != 0;
#elif defined(__aarch64__)
  constexpr unsigned long kAes = 1UL << 3U;  // HWCAP_AES
  return (::getauxval(AT_HWCAP) & kAes) != 0;
#else
  return false;
#endif
}

void set_option(ssh_session session, ssh_options_e option, const void* value) {
  if (::ssh_options_set(session, option, value) == SSH_OK) return;
  throw base::Error(base::Code::internal,
                    fmt::format("SSH option {}: {}", static_cast<int>(option), ::ssh_get_error(session)));
}

std::string_view doing(SshStep step) {
  switch (step) {
    case SshStep::connecting:
      return "cannot connect";
    case SshStep::logging_in:
      return "cannot log in";
    case SshStep::running:
      return "the connection broke";
  }
  return "";
}

}  // namespace

bool is_alive(ssh_session session) {
  return ::ssh_is_connected(session) != 0 &&
         (::ssh_get_status(session) & (SSH_CLOSED | SSH_CLOSED_ERROR)) == 0;
}

base::Error ssh_error(ssh_session session, std::string_view where, SshStep step) {
  const bool alive = is_alive(session);
  const base::Code code =
      step == SshStep::logging_in && alive ? base::Code::authentication : base::Code::unreachable;
  std::string reason = base::printable(::ssh_get_error(session));
  if (reason.empty()) reason = "the far end closed it";
  return base::Error(code, fmt::format("{}: {}: {}", where, doing(step), reason));
}

SessionPtr make_session(const std::string& host, const std::string& user) {
  static std::once_flag once;
  std::call_once(once, [] { ::ssh_init(); });
  SessionPtr session(::ssh_new());
  if (!session) throw base::Error(base::Code::internal, "SSH: out of memory");
  const int no = 0;
  const int quiet = SSH_LOG_NOLOG;
  set_option(session.get(), SSH_OPTIONS_PROCESS_CONFIG, &no);
  set_option(session.get(), SSH_OPTIONS_LOG_VERBOSITY, &quiet);
  set_option(session.get(), SSH_OPTIONS_HOST, host.c_str());
  set_option(session.get(), SSH_OPTIONS_USER, user.c_str());
  set_option(session.get(), SSH_OPTIONS_KNOWNHOSTS, "/dev/null");
  set_option(session.get(), SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null");
  const char* ciphers = processor_has_aes() ? aes_first : chacha_first;
  set_option(session.get(), SSH_OPTIONS_CIPHERS_C_S, ciphers);
  set_option(session.get(), SSH_OPTIONS_CIPHERS_S_C, ciphers);
  ::ssh_set_blocking(session.get(), 0);
  return session;
}

}  // namespace porter::transport
