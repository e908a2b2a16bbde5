#pragma once
// A secret: a type that cannot be printed by accident. Streams and fmt refuse it at compile time; only
// reveal() gives the text, and every call of it is easy to find. The bytes are overwritten when the object
// goes, is moved from or gets another value.

#include <string>
#include <utility>

namespace porter::base {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  Secret(const Secret&) = default;
  Secret(Secret&& other) noexcept;
  Secret& operator=(const Secret& other);
  Secret& operator=(Secret&& other) noexcept;
  ~Secret();

  bool empty() const { return text_.empty(); }
  const std::string& reveal() const { return text_; }

 private:
  void wipe() noexcept;

  std::string text_;
};

}  // namespace porter::base
