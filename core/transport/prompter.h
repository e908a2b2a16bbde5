#pragma once
// The questions that logging in may have to ask. Implemented by whoever owns the terminal; called on the
// thread that asked for the connection, never on an I/O loop, so a slow answer holds up its own host only.
// Several hosts may ask at the same time: the implementation puts them in a row.

#include <optional>
#include <string>

#include "core/base/secret.h"

namespace porter::transport {

enum class Question {
  passphrase,  // of a private key file
  password,    // of the account
  challenge,   // keyboard-interactive, the answer stays hidden
  challenge_shown,
};

class Prompter {
 public:
  Prompter() = default;
  Prompter(const Prompter&) = delete;
  Prompter& operator=(const Prompter&) = delete;
  virtual ~Prompter() = default;

  // `text` names host and subject and is printable. Nothing: nobody is there to answer, or they declined.
  virtual std::optional<base::Secret> ask(Question kind, const std::string& text) = 0;
};

// For runs without a terminal.
class NoPrompter : public Prompter {
 public:
  std::optional<base::Secret> ask(Question, const std::string&) override { return std::nullopt; }
};

}  // namespace porter::transport
