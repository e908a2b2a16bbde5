#include "core/base/secret.h"

#include <string.h>

namespace porter::base {

// A short text is kept inside the string object, and moving it leaves its bytes there.
Secret::Secret(Secret&& other) noexcept : text_(std::move(other.text_)) {
  other.wipe();
}

Secret& Secret::operator=(const Secret& other) {
  Secret copy(other);
  return *this = std::move(copy);
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this == &other) return *this;
  wipe();
  text_ = std::move(other.text_);
  other.wipe();
  return *this;
}

Secret::~Secret() {
  wipe();
}

void Secret::wipe() noexcept {
  text_.resize(text_.capacity());  // within its capacity: no other memory is taken
  ::explicit_bzero(text_.data(), text_.size());
  text_.clear();
}

}  // namespace porter::base
