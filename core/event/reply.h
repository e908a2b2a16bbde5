#pragma once
// What the supervisor says to the worker after the request: an answer to a question, or Stop. And how the
// engine asks.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "core/base/secret.h"
#include "core/event/event.h"

namespace porter::event {

// Nothing: nobody is there to answer, or they declined. A confirmed question has the text "yes".
struct Answer {
  std::uint64_t question = 0;
  std::optional<base::Secret> text;
};

// End in an orderly way: put back what is half done.
struct Stop {};

using Reply = std::variant<Answer, Stop>;

std::string encode(const Reply& reply);
// Throws Error(protocol).
Reply decode_reply(std::string_view text);

// Somebody who can answer. Thread-safe; waits for as long as a person needs; questions are put one at a time.
class Asker {
 public:
  virtual ~Asker() = default;
  virtual std::optional<base::Secret> ask(QuestionKind kind, const std::string& text) = 0;
  // Throws base::Interrupted when the run is stopped instead of answered.
  bool confirm(const std::string& text) { return ask(QuestionKind::confirm, text).has_value(); }
};

}  // namespace porter::event
