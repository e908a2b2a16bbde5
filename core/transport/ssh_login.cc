#include "core/transport/ssh_login.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "core/base/text.h"
#include "core/transport/private_key.h"

namespace porter::transport {
namespace {

using base::Code;
using base::Error;
using base::Secret;

constexpr int password_attempts = 3;

base::Deadline earlier(base::Deadline a, base::Deadline b) {
  return a.moment() < b.moment() ? a : b;
}

class Attempt {
 public:
  Attempt(SshLink& link, const Login& login, Prompter& prompter, base::Deadline deadline,
          const base::CancelToken& cancel)
      : link_(link), login_(login), prompter_(prompter), deadline_(deadline), cancel_(cancel) {}

  // What the host offers is asked for only when there is no key at hand: each question is a round trip, and a
  // refused key is answered with the same list.
  void run() {
    link_.drive_timed([](ssh_session session) { return ::ssh_service_request(session, "ssh-userauth"); },
                      SSH_AGAIN, step_deadline(), cancel_);  // the first of them would do it by itself
    const bool done = with_keys_at_hand() || (is_offer_unknown() && with_nothing()) ||
                      (offers(SSH_AUTH_METHOD_PUBLICKEY) && with_encrypted_keys()) ||
                      (offers(SSH_AUTH_METHOD_INTERACTIVE) && with_challenges()) ||
                      (offers(SSH_AUTH_METHOD_PASSWORD) && with_password()) || with_nothing();
    if (!done) throw refusal();
  }

 private:
  using Step = SshLink::Step;

  base::Deadline step_deadline() const { return earlier(deadline_, base::Deadline::in(login_.step_timeout)); }

  int ask(const Step& step) { return link_.drive(step, SSH_AUTH_AGAIN, step_deadline(), cancel_); }

  // True when logged in. After a partial success the next method goes on; the library knows what is still
  // offered.
  bool passed(int answer) {
    if (answer == SSH_AUTH_SUCCESS) return true;
    if (answer != SSH_AUTH_ERROR) return false;
    const Error error = ssh_error(link_.session(), link_.where(), SshStep::logging_in);
    const bool too_many = error.message().find("Too many authentication failures") != std::string::npos;
    if (!too_many && error.code() == Code::unreachable) throw error;
    if (too_many) throw refusal("the host allows no more attempts");
    return false;
  }

  bool passed(int answer, std::string what) {
    const bool done = passed(answer);
    if (!done) note(std::move(what), answer == SSH_AUTH_PARTIAL ? "accepted, but more is needed" : "refused");
    return done;
  }

  void note(std::string what, std::string_view outcome) {
    tried_.push_back(fmt::format("{} ({})", what, outcome));
  }

  bool offers(int method) const { return (::ssh_userauth_list(link_.session(), nullptr) & method) != 0; }
  bool is_offer_unknown() const { return ::ssh_userauth_list(link_.session(), nullptr) == 0; }

  // Accounts that need no proof; else the host says what it offers. Asked once.
  bool with_nothing() {
    if (std::exchange(asked_nothing_, true)) return false;
    return passed(ask([](ssh_session session) { return ::ssh_userauth_none(session, nullptr); }));
  }

  bool with_keys_at_hand() {
    return with_plain_keys(login_.identities, Named::yes) || with_agent() ||
           with_plain_keys(login_.defaults, Named::no);
  }

  bool with_encrypted_keys() {
    return with_encrypted_keys(login_.identities) || with_encrypted_keys(login_.defaults);
  }

  bool may_offer_keys() const { return is_offer_unknown() || offers(SSH_AUTH_METHOD_PUBLICKEY); }

  enum class Named { yes, no };

  bool with_plain_keys(const std::vector<std::filesystem::path>& files, Named named) {
    for (const std::filesystem::path& file : files) {
      const KeyFile kind = inspect_key_file(file);
      if (kind == KeyFile::missing && named == Named::yes) note(subject(file), "no such file");
      if (kind == KeyFile::plain && may_offer_keys() && with_key(file, Secret())) return true;
    }
    return false;
  }

  // A certificate beside the key goes first, then the key alone.
  bool with_key(const std::filesystem::path& file, const Secret& passphrase) {
    const KeyPtr key = load_private_key(file, passphrase);
    if (!key) {
      note(subject(file), passphrase.empty() ? "not a private key" : "wrong passphrase");
      return false;
    }
    const KeyPtr certified = load_private_key(file, passphrase);
    if (certified && add_certificate(file, certified.get()) &&
        offer(certified.get(), subject(file) + " with certificate"))
      return true;
    return offer(key.get(), subject(file));
  }

  // Signed at once: whether the key would be taken is not asked first.
  bool offer(ssh_key key, std::string what) {
    return passed(ask([key](ssh_session session) { return ::ssh_userauth_publickey(session, nullptr, key); }),
                  std::move(what));
  }

  // Here and not on the loop: an agent may ask a person before it signs.
  bool with_agent() {
    if (login_.agent_socket.empty() || !may_offer_keys()) return false;
    if (::ssh_options_set(link_.session(), SSH_OPTIONS_IDENTITY_AGENT, login_.agent_socket.c_str()) != SSH_OK)
      return false;
    const int answer =
        link_.drive_here([](ssh_session session) { return ::ssh_userauth_agent(session, nullptr); },
                         SSH_AUTH_AGAIN, step_deadline(), cancel_);
    return passed(answer, "the agent's keys");
  }

  bool with_encrypted_keys(const std::vector<std::filesystem::path>& files) {
    for (const std::filesystem::path& file : files) {
      if (inspect_key_file(file) != KeyFile::encrypted || !would_be_taken(file)) continue;
      const auto passphrase =
          prompter_.ask(Question::passphrase,
                        fmt::format("{}: passphrase of {}", link_.where(), base::printable(file.string())));
      if (!passphrase) note(subject(file), "needs a passphrase");
      if (passphrase && with_key(file, *passphrase)) return true;
    }
    return false;
  }

  // Nobody is asked for the passphrase of a key that is of no use. Unknown means yes.
  bool would_be_taken(const std::filesystem::path& file) {
    const KeyPtr key = load_public_key(file);
    if (!key) return true;
    const int answer = ask(
        [&key](ssh_session session) { return ::ssh_userauth_try_publickey(session, nullptr, key.get()); });
    if (answer == SSH_AUTH_SUCCESS) return true;
    passed(answer, subject(file));
    return false;
  }

  bool with_challenges() {
    for (int attempt = 0; attempt < password_attempts; ++attempt) {
      int answer = ask([](ssh_session session) { return ::ssh_userauth_kbdint(session, nullptr, nullptr); });
      while (answer == SSH_AUTH_INFO) {
        if (!answer_challenges()) {
          note("keyboard-interactive", "nobody answered");
          return false;
        }
        answer = ask([](ssh_session session) { return ::ssh_userauth_kbdint(session, nullptr, nullptr); });
      }
      if (passed(answer, "keyboard-interactive")) return true;
      if (answer != SSH_AUTH_DENIED) return false;
    }
    return false;
  }

  bool answer_challenges() {
    const int count = ::ssh_userauth_kbdint_getnprompts(link_.session());
    for (int i = 0; i < count; ++i) {
      char shown = 0;
      const char* prompt = ::ssh_userauth_kbdint_getprompt(link_.session(), static_cast<unsigned>(i), &shown);
      const std::string text =
          fmt::format("{}: {}", link_.where(), base::printable(base::trim(prompt != nullptr ? prompt : "")));
      const auto answer = prompter_.ask(shown != 0 ? Question::challenge_shown : Question::challenge, text);
      if (!answer) return false;
      ::ssh_userauth_kbdint_setanswer(link_.session(), static_cast<unsigned>(i), answer->reveal().c_str());
    }
    return true;
  }

  bool with_password() {
    for (int attempt = 0; attempt < password_attempts; ++attempt) {
      const auto password = prompter_.ask(Question::password, fmt::format("{}: password", link_.where()));
      if (!password) {
        note("password", "nobody answered");
        return false;
      }
      const int answer = ask([&](ssh_session session) {
        return ::ssh_userauth_password(session, nullptr, password->reveal().c_str());
      });
      if (passed(answer, "password")) return true;
    }
    return false;
  }

  static std::string subject(const std::filesystem::path& file) {
    return fmt::format("key {}", base::printable(file.string()));
  }

  Error refusal(std::string_view reason = "no login was accepted") const {
    const std::string tried =
        tried_.empty() ? "nothing: no key, no agent, nobody to ask" : base::join(tried_, ", ");
    return Error(Code::authentication, fmt::format("{}: cannot log in: {}; the host offers {}; tried {}",
                                                   link_.where(), reason, offered(), tried))
        .hint(
            "name a key with `identity` in [host:NAME] or IdentityFile in ~/.ssh/config, or load it with "
            "ssh-add");
  }

  std::string offered() const {
    std::vector<std::string> names;
    if (offers(SSH_AUTH_METHOD_PUBLICKEY)) names.emplace_back("publickey");
    if (offers(SSH_AUTH_METHOD_INTERACTIVE)) names.emplace_back("keyboard-interactive");
    if (offers(SSH_AUTH_METHOD_PASSWORD)) names.emplace_back("password");
    return names.empty() ? "nothing we know" : base::join(names, ", ");
  }

  SshLink& link_;
  const Login& login_;
  Prompter& prompter_;
  base::Deadline deadline_;
  const base::CancelToken& cancel_;
  std::vector<std::string> tried_;
  bool asked_nothing_ = false;
};

}  // namespace

void log_in(SshLink& link, const Login& login, Prompter& prompter, base::Deadline deadline,
            const base::CancelToken& cancel) {
  try {
    Attempt(link, login, prompter, deadline, cancel).run();
  } catch (const Error& error) {
    if (error.code() != Code::timeout || error.message().starts_with(link.where())) throw;
    throw Error(Code::timeout,
                fmt::format("{}: cannot log in: no answer within the time allowed", link.where()));
  }
}

}  // namespace porter::transport
