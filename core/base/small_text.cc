#include "core/base/small_text.h"

namespace porter::base {

ShortText::ShortText(std::string_view text) : ShortText() {
  if (text.size() <= kMostInside) {
    text.copy(room_.data(), text.size());
    set_free(kMostInside - text.size());
    return;
  }
  const auto size = static_cast<std::uint32_t>(text.size());
  char* copy = new char[text.size() + 1];
  copy[text.copy(copy, text.size())] = '\0';
  std::memcpy(room_.data(), &copy, sizeof copy);
  std::memcpy(room_.data() + sizeof copy, &size, sizeof size);
  room_.back() = kOutside;
}

RareText::RareText(std::string_view text) {
  if (text.empty()) return;
  const auto size = static_cast<std::uint32_t>(text.size());
  text_ = std::make_unique<char[]>(sizeof size + text.size() + 1);
  std::memcpy(text_.get(), &size, sizeof size);
  text.copy(text_.get() + sizeof size, text.size());
}

std::string_view RareText::view() const {
  if (!text_) return "";
  std::uint32_t size = 0;
  std::memcpy(&size, text_.get(), sizeof size);
  return {text_.get() + sizeof size, size};
}

}  // namespace porter::base
