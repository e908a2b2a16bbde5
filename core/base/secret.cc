#include "core/base/secret.h"

#include <string.h>

namespace porter::base {

Secret::~Secret() {
  ::explicit_bzero(text_.data(), text_.size());
}

}  // namespace porter::base
